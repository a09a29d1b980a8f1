import type { ServiceConfig } from '@vortex/config';
import { CommandProblem } from './problem.ts';
import type { LlmChoice } from './service-plan.ts';

const usualOllama = 'http://127.0.0.1:11434';
const askTimeoutMs = 3000;

/** An Ollama on its usual port, and what it could run; null when none answers. */
export async function findOllama(url = usualOllama): Promise<{ url: string; models: string[] } | null> {
  try {
    const response = await fetch(`${url}/api/tags`, { signal: AbortSignal.timeout(1000) });
    if (!response.ok) return null;
    return { url, models: namesIn(await response.json(), 'models') };
  } catch {
    return null;
  }
}

/** One line for `up` and `ask`, while nobody has chosen a real model. */
export function mockNotice(ollama: { url: string; models: string[] } | null): string {
  const way =
    ollama === null
      ? 'start with --llm ollama or --llm openai for a real model'
      : `an Ollama answers at ${ollama.url}: start with --llm ollama to use it`;
  return `Answers come from mock-llm, which quotes the passages it was given; ${way}.`;
}

/**
 * Asks the chosen model server whether it is there and has the model, before anything is started.
 * @throws CommandProblem saying what to do
 */
export async function checkLanguageModel(
  llm: LlmChoice,
  config: ServiceConfig<'llm-generator'>['llm'],
): Promise<void> {
  if (llm === 'ollama') await checkOllama(config.ollama_url, config.model ?? 'llama3.2');
  if (llm === 'openai') await checkOpenai(config.openai_base_url, config.openai_api_key);
}

async function checkOllama(url: string, model: string): Promise<void> {
  let models: string[];
  try {
    const response = await fetch(`${url}/api/tags`, { signal: AbortSignal.timeout(askTimeoutMs) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    models = namesIn(await response.json(), 'models');
  } catch (error) {
    throw new CommandProblem(`No Ollama answers at ${url} (${reasonOf(error)}).`, {
      ways: [
        'Start it: ollama serve    (to install it: https://ollama.com/download)',
        'Somewhere else: OLLAMA_URL=http://host:11434',
        'Or leave out --llm: mock-llm answers then, by quoting',
      ],
    });
  }
  const bare = (name: string) => name.replace(/:latest$/, '');
  if (models.some((name) => bare(name) === bare(model))) return;
  throw new CommandProblem(`The Ollama at ${url} does not have the model ${model}.`, {
    ways: [
      `Fetch it: ollama pull ${model}`,
      ...(models.length > 0
        ? [`Or take one it has: --set llm.model=${models[0]}    (${models.join(', ')})`]
        : []),
    ],
  });
}

async function checkOpenai(baseUrl: string, key: string | null): Promise<void> {
  const url = `${baseUrl.replace(/\/+$/, '')}/models`;
  try {
    const response = await fetch(url, {
      headers: key === null ? {} : { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(askTimeoutMs),
    });
    if (response.status === 401 || response.status === 403) {
      throw new CommandProblem(`${baseUrl} refuses ${key === null ? 'requests without a key' : 'the key'}.`, {
        ways: ['Set it: OPENAI_API_KEY=… ./vortex up --llm openai'],
      });
    }
    // Servers without a list of models answer 404 here and work all the same.
  } catch (error) {
    if (error instanceof CommandProblem) throw error;
    throw new CommandProblem(`No model server answers at ${baseUrl} (${reasonOf(error)}).`, {
      ways: [
        'Its address, with the /v1: OPENAI_BASE_URL=http://host:8080/v1',
        'Or leave out --llm: mock-llm answers then, by quoting',
      ],
    });
  }
}

function namesIn(content: unknown, list: string): string[] {
  const entries = (content as Record<string, unknown> | null)?.[list];
  if (!Array.isArray(entries)) return [];
  return entries
    .map((entry: { name?: unknown }) => entry.name)
    .filter((name): name is string => typeof name === 'string');
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return error.message;
}
