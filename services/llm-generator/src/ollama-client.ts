import { z } from 'zod';
import { type ModelClient, type ModelEnd, ModelFailure, type ModelRequest } from './model-client.ts';
import { modelAgent, streamReply } from './model-stream.ts';
import { quoted } from './server-words.ts';

/**
 * Ollama's `/api/chat`: newline-delimited JSON, the last object has `done: true` and the counts. A
 * failure in mid-stream arrives as an object with `error` under status 200.
 */
const part = z.object({
  message: z.object({ content: z.string().optional() }).optional(),
  done: z.boolean().optional(),
  done_reason: z.string().optional(),
  prompt_eval_count: z.int().optional(),
  eval_count: z.int().optional(),
  error: z.string().optional(),
});
type Part = z.infer<typeof part>;

const errorBody = z.object({ error: z.string() });
const maxLineCharacters = 1024 * 1024;
const server = 'the Ollama server (llm.ollama_url)';

export function createOllamaClient(options: { url: string; model: string; slots: number }): ModelClient {
  const { model, slots } = options;
  const dispatcher = modelAgent(slots);
  const url = `${options.url.replace(/\/+$/, '')}/api/chat`;

  return {
    provider: 'ollama',
    model,
    async generate(request, onText) {
      const reader = ndjsonReader(onText);
      await streamReply({
        dispatcher,
        url,
        headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
        trace: request.trace,
        body: JSON.stringify({
          model,
          messages: request.messages,
          stream: true,
          options: {
            num_predict: request.maxTokens,
            temperature: request.temperature,
            num_ctx: contextTokens(request),
          },
        }),
        signal: request.signal,
        timeoutMs: request.timeoutMs,
        server,
        read: reader.read,
        explain: (status, body) => explain(status, body, model),
      });
      return reader.end();
    },
    close: () => dispatcher.destroy(),
  };
}

/**
 * Ollama cuts a prompt that does not fit its context silently, at the front, where our instructions
 * stand; its default has been 2,048 and 4,096 tokens. Doubling steps, because each new value reloads the
 * model. Three characters a token is on the safe side for European languages.
 */
function contextTokens({ messages, maxTokens }: ModelRequest): number {
  const characters = messages.reduce((sum, message) => sum + message.content.length, 0);
  const needed = characters / 3 + maxTokens;
  return 2 ** Math.ceil(Math.log2(Math.max(4096, needed)));
}

function ndjsonReader(onText: (text: string) => void) {
  let rest = '';
  let last: Part | undefined;
  return {
    read(text: string): boolean {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > maxLineCharacters) throw malformed('a line without end');
      for (const line of lines) {
        if (line.trim() === '') continue;
        const said = parsePart(line);
        if (said.error !== undefined) {
          throw new ModelFailure('server_error', `${server} failed while answering: ${quoted(said.error)}`);
        }
        const content = said.message?.content;
        if (content) onText(content);
        if (said.done) {
          last = said;
          return true;
        }
      }
      return false;
    },
    end(): ModelEnd {
      return {
        finish: last?.done_reason === 'length' ? 'length' : 'stop',
        promptTokens: last?.prompt_eval_count ?? null,
        completionTokens: last?.eval_count ?? null,
      };
    },
  };
}

function parsePart(line: string): Part {
  try {
    return part.parse(JSON.parse(line));
  } catch (cause) {
    throw malformed(cause);
  }
}

function malformed(cause: unknown): ModelFailure {
  return new ModelFailure('malformed', `${server} sent a line that is not of its protocol`, { cause });
}

function explain(status: number, body: string, model: string): string {
  const said = serverText(body);
  if (status === 404 && /model/i.test(said)) {
    return `${server} has no model "${model}": run \`ollama pull ${model}\`, or set llm.model to one it has`;
  }
  return `${server} answered ${status}: ${quoted(said)}`;
}

function serverText(body: string): string {
  try {
    return errorBody.parse(JSON.parse(body)).error;
  } catch {
    return body;
  }
}
