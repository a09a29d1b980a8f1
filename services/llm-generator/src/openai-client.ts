import { createParser } from 'eventsource-parser';
import { z } from 'zod';
import { type ModelClient, type ModelEnd, ModelFailure, type ModelRequest } from './model-client.ts';
import { modelAgent, streamReply } from './model-stream.ts';
import { quoted } from './server-words.ts';

/**
 * `/v1/chat/completions` of OpenAI and of the many servers that speak it: server-sent events, closed by
 * `[DONE]`. A failure in mid-stream arrives as an event with `error` under status 200.
 */
const chunk = z.object({
  choices: z
    .array(
      z.object({
        delta: z.object({ content: z.string().nullish() }).nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: z.object({ prompt_tokens: z.int().nullish(), completion_tokens: z.int().nullish() }).nullish(),
  error: z.unknown().optional(),
});

const errorBody = z.object({
  error: z.union([
    z.string(),
    z.object({ message: z.string(), code: z.string().nullish(), param: z.string().nullish() }),
  ]),
});

const server = 'the OpenAI-compatible server (llm.openai_base_url)';
const maxEventCharacters = 1024 * 1024;

export interface OpenaiOptions {
  /** With its `/v1`. */
  baseUrl: string;
  apiKey: string | null;
  model: string;
  slots: number;
}

export function createOpenaiClient(options: OpenaiOptions): ModelClient {
  const { model, apiKey, slots } = options;
  const dispatcher = modelAgent(slots);
  const url = `${options.baseUrl.replace(/\/+$/, '')}/chat/completions`;
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'text/event-stream' };
  if (apiKey !== null) headers.authorization = `Bearer ${apiKey}`;
  const dialect: Dialect = { refused: new Set() };

  async function ask(request: ModelRequest, onText: (text: string) => void): Promise<ModelEnd> {
    const reader = eventReader(onText, apiKey);
    await streamReply({
      dispatcher,
      url,
      headers,
      trace: request.trace,
      body: JSON.stringify(bodyOf(request, model, dialect)),
      signal: request.signal,
      timeoutMs: request.timeoutMs,
      server,
      read: reader.read,
      explain: (status, body) => {
        if (status === 400) learn(dialect, body);
        return explain(status, body, model, apiKey);
      },
    });
    return reader.end();
  }

  return {
    provider: 'openai',
    model,
    async generate(request, onText) {
      for (;;) {
        const known = dialect.refused.size;
        try {
          return await ask(request, onText);
        } catch (error) {
          // A parameter this server refuses is left out from now on; each can be learned once.
          if (dialect.refused.size === known) throw error;
        }
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/**
 * Not every server takes every parameter: OpenAI's reasoning models want `max_completion_tokens` and no
 * temperature, some servers know no `stream_options`. Which ones is found out by their own error.
 */
interface Dialect {
  refused: Set<string>;
}
const optionalParameters = ['max_tokens', 'temperature', 'stream_options'];

function bodyOf(request: ModelRequest, model: string, { refused }: Dialect): object {
  return {
    model,
    messages: request.messages,
    stream: true,
    ...(refused.has('stream_options') ? {} : { stream_options: { include_usage: true } }),
    ...(refused.has('temperature') ? {} : { temperature: request.temperature }),
    [refused.has('max_tokens') ? 'max_completion_tokens' : 'max_tokens']: request.maxTokens,
  };
}

function learn(dialect: Dialect, body: string): void {
  const said = serverError(body);
  if (said.code !== 'unsupported_parameter' && said.code !== 'unsupported_value') return;
  if (said.param && optionalParameters.includes(said.param)) dialect.refused.add(said.param);
}

function eventReader(onText: (text: string) => void, apiKey: string | null) {
  let done = false;
  const end: ModelEnd = { finish: 'stop', promptTokens: null, completionTokens: null };
  const parser = createParser({
    maxBufferSize: maxEventCharacters,
    onError(error) {
      // Unknown fields are for other readers; only an event without end is ours.
      if (error.type === 'max-buffer-size-exceeded') throw malformed(error);
    },
    onEvent({ data }) {
      if (done) return;
      if (data === '[DONE]') {
        done = true;
        return;
      }
      const said = parseChunk(data);
      if (said.error !== undefined && said.error !== null) {
        const words = quoted(serverError(data).message, [apiKey]);
        throw new ModelFailure('server_error', `${server} failed while answering: ${words}`);
      }
      const choice = said.choices?.[0];
      if (choice?.delta?.content) onText(choice.delta.content);
      if (choice?.finish_reason === 'length') end.finish = 'length';
      end.promptTokens = said.usage?.prompt_tokens ?? end.promptTokens;
      end.completionTokens = said.usage?.completion_tokens ?? end.completionTokens;
    },
  });
  return {
    read(text: string): boolean {
      parser.feed(text);
      return done;
    },
    end: () => end,
  };
}

function parseChunk(data: string): z.infer<typeof chunk> {
  try {
    return chunk.parse(JSON.parse(data));
  } catch (cause) {
    throw malformed(cause);
  }
}

function malformed(cause: unknown): ModelFailure {
  return new ModelFailure('malformed', `${server} sent an event that is not of its protocol`, { cause });
}

function explain(status: number, body: string, model: string, apiKey: string | null): string {
  const said = quoted(serverError(body).message, [apiKey]);
  if (status === 401 || status === 403) {
    const key = apiKey === null ? 'asks for an API key' : 'refused the API key';
    return `${server} ${key} (${status}): set OPENAI_API_KEY`;
  }
  if (status === 404)
    return `${server} has no model "${model}", or no /chat/completions under this address: ${said}`;
  return `${server} answered ${status}: ${said}`;
}

function serverError(body: string): {
  message: string;
  code?: string | null | undefined;
  param?: string | null | undefined;
} {
  try {
    const { error } = errorBody.parse(JSON.parse(body));
    return typeof error === 'string' ? { message: error } : error;
  } catch {
    return { message: body };
  }
}
