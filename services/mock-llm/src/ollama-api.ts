import { z } from 'zod';
import { type Completion, completionOf } from './completion.ts';
import type { Message } from './prompt.ts';
import type { Wire } from './reply.ts';

/**
 * Ollama's `/api/*` as its own documentation describes it: newline-delimited JSON, streamed unless
 * `stream:false`, durations in nanoseconds, errors as `{"error": text}`. Any model name is served, so
 * that a client's default works; unknown fields are passed over as Ollama passes over them.
 */
const limits = {
  stream: z.boolean().nullish(),
  options: z
    .object({
      num_predict: z.int().optional(),
      stop: z.union([z.string(), z.array(z.string())]).optional(),
    })
    .nullish(),
};

const chatRequest = z.object({
  model: z.string().min(1, 'model is required'),
  messages: z.array(z.object({ role: z.string(), content: z.string().nullish() })).nullish(),
  ...limits,
});

const generateRequest = z.object({
  model: z.string().min(1, 'model is required'),
  prompt: z.string().nullish(),
  system: z.string().nullish(),
  ...limits,
});

type Limits = z.infer<typeof chatRequest>['options'];

export function ollamaFailure(status: number, message: string): Response {
  return Response.json({ error: message }, { status });
}

/** @throws z.ZodError when the body is not a chat request. */
export function ollamaChat(body: unknown, createdAt: string): Wire {
  const request = chatRequest.parse(body);
  const messages = (request.messages ?? []).map(({ role, content }) => ({ role, content: content ?? '' }));
  return wireOf({
    model: request.model,
    createdAt,
    streamed: request.stream ?? true,
    completion: complete(messages, request.options),
    // No messages: Ollama loads the model and says so.
    loadOnly: messages.length === 0,
    field: (text) => `"message":{"role":"assistant","content":${JSON.stringify(text)}}`,
    closing: '',
  });
}

/** @throws z.ZodError when the body is not a generate request. */
export function ollamaGenerate(body: unknown, createdAt: string): Wire {
  const request = generateRequest.parse(body);
  const prompt = request.prompt ?? '';
  const messages = [
    ...(request.system ? [{ role: 'system', content: request.system }] : []),
    { role: 'user', content: prompt },
  ];
  return wireOf({
    model: request.model,
    createdAt,
    streamed: request.stream ?? true,
    completion: complete(messages, request.options),
    loadOnly: prompt === '',
    field: (text) => `"response":${JSON.stringify(text)}`,
    // Ollama's opaque conversation state; clients only hand it back.
    closing: ',"context":[1]',
  });
}

export function ollamaTags(model: string, modifiedAt: string): object {
  const name = model.includes(':') ? model : `${model}:latest`;
  return {
    models: [{ name, model: name, modified_at: modifiedAt, size: 0, digest: digestOf(name), details }],
  };
}

// `name` is what clients before 0.1.33 sent.
const showRequest = z
  .object({ model: z.string().min(1).optional(), name: z.string().min(1).optional() })
  .refine(({ model, name }) => (model ?? name) !== undefined, 'model is required');

/** @throws z.ZodError when the body names no model. */
export function ollamaShow(body: unknown, modifiedAt: string): object {
  showRequest.parse(body);
  return {
    license: 'Apache-2.0',
    modelfile: '# mock-llm has no weights',
    parameters: '',
    template: '{{ .Prompt }}',
    details,
    model_info: { 'general.architecture': 'mock', 'mock.context_length': 131_072 },
    capabilities: ['completion'],
    modified_at: modifiedAt,
  };
}

const details = {
  parent_model: '',
  format: 'none',
  family: 'mock',
  families: ['mock'],
  parameter_size: '0B',
  quantization_level: 'none',
};

/** Stable and of a digest's form; there are no weights to hash. */
function digestOf(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64);
}

function complete(messages: readonly Message[], options: Limits): Completion {
  const stop = options?.stop ?? [];
  return completionOf(messages, {
    maxTokens: options?.num_predict,
    stop: typeof stop === 'string' ? [stop] : stop,
  });
}

interface Parts {
  model: string;
  createdAt: string;
  streamed: boolean;
  completion: Completion;
  loadOnly: boolean;
  /** The JSON field that carries text. */
  field(text: string): string;
  /** Further fields of the last object. */
  closing: string;
}

function wireOf({ model, createdAt, streamed, completion, loadOnly, field, closing }: Parts): Wire {
  const opening = `{"model":${JSON.stringify(model)},"created_at":"${createdAt}",`;
  const shown = loadOnly ? { ...completion, tokens: [] } : completion;
  const last = (text: string, elapsedMs: number): string => {
    if (loadOnly) return `${opening}${field('')},"done_reason":"load","done":true}`;
    const totalNs = Math.round(elapsedMs * 1e6);
    const statistics =
      `"total_duration":${totalNs},"load_duration":0,` +
      `"prompt_eval_count":${completion.promptTokens},"prompt_eval_duration":0,` +
      `"eval_count":${completion.tokens.length},"eval_duration":${totalNs}`;
    return `${opening}${field(text)},"done_reason":"${completion.finish}","done":true${closing},${statistics}}`;
  };
  return {
    contentType: streamed ? 'application/x-ndjson' : 'application/json; charset=utf-8',
    streamed,
    completion: shown,
    whole: (elapsedMs) => last(shown.tokens.join(''), elapsedMs),
    head: () => '',
    piece: (token) => `${opening}${field(token)},"done":false}\n`,
    tail: (elapsedMs) => `${last('', elapsedMs)}\n`,
    failure: ollamaFailure,
  };
}
