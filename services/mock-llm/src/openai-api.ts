import { z } from 'zod';
import { completionOf } from './completion.ts';
import type { Wire } from './reply.ts';

/**
 * OpenAI's chat completions: one JSON object, or server-sent events that open with the role, end with a
 * finish reason and `[DONE]`, and carry usage when `stream_options.include_usage` asks for it. Any model
 * name is served; fields without a meaning here (temperature, tools …) are passed over.
 */
const textPart = z.object({ type: z.string(), text: z.string().optional() });

const chatRequest = z.object({
  model: z.string().min(1),
  messages: z
    .array(z.object({ role: z.string(), content: z.union([z.string(), z.array(textPart)]).nullish() }))
    .min(1),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  n: z.literal(1, 'mock-llm gives one choice: n must be 1').nullish(),
});

const errorTypes: Record<number, { type: string; code: string | null }> = {
  401: { type: 'invalid_request_error', code: 'invalid_api_key' },
  403: { type: 'invalid_request_error', code: 'permission_denied' },
  404: { type: 'invalid_request_error', code: 'model_not_found' },
  429: { type: 'requests', code: 'rate_limit_exceeded' },
};

export function openaiFailure(status: number, message: string, param: string | null = null): Response {
  const fallback = { type: status >= 500 ? 'server_error' : 'invalid_request_error', code: null };
  const { type, code } = errorTypes[status] ?? fallback;
  const headers: Record<string, string> = status === 429 ? { 'retry-after': '1' } : {};
  return Response.json({ error: { message, type, param, code } }, { status, headers });
}

/** @throws z.ZodError when the body is not a chat completion request. */
export function openaiChat(body: unknown, id: string, createdAtMs: number): Wire {
  const request = chatRequest.parse(body);
  const messages = request.messages.map(({ role, content }) => ({ role, content: plainText(content) }));
  const stop = request.stop ?? [];
  const completion = completionOf(messages, {
    maxTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
    stop: typeof stop === 'string' ? [stop] : stop,
  });
  const streamed = request.stream ?? false;
  const withUsage = request.stream_options?.include_usage ?? false;

  const opening =
    `{"id":"${id}","object":"chat.completion${streamed ? '.chunk' : ''}",` +
    `"created":${Math.floor(createdAtMs / 1000)},"model":${JSON.stringify(request.model)},` +
    `"system_fingerprint":"fp_mock",`;
  const usage = JSON.stringify({
    prompt_tokens: completion.promptTokens,
    completion_tokens: completion.tokens.length,
    total_tokens: completion.promptTokens + completion.tokens.length,
  });
  // As OpenAI sends it: every chunk but the last has `usage: null` once usage was asked for.
  const usageNull = withUsage ? ',"usage":null' : '';
  const chunk = (delta: string, finish: string | null): string =>
    `data: ${opening}"choices":[{"index":0,"delta":${delta},"logprobs":null,` +
    `"finish_reason":${JSON.stringify(finish)}}]${usageNull}}\n\n`;

  return {
    contentType: streamed ? 'text/event-stream; charset=utf-8' : 'application/json',
    streamed,
    completion,
    whole: () =>
      `${opening}"choices":[{"index":0,"message":{"role":"assistant",` +
      `"content":${JSON.stringify(completion.tokens.join(''))},"refusal":null},"logprobs":null,` +
      `"finish_reason":"${completion.finish}"}],"usage":${usage}}`,
    head: () => chunk('{"role":"assistant","content":"","refusal":null}', null),
    piece: (token) => chunk(`{"content":${JSON.stringify(token)}}`, null),
    tail: () =>
      chunk('{}', completion.finish) +
      (withUsage ? `data: ${opening}"choices":[],"usage":${usage}}\n\n` : '') +
      'data: [DONE]\n\n',
    failure: openaiFailure,
  };
}

export function openaiModel(id: string): object {
  return { id, object: 'model', created: 1_700_000_000, owned_by: 'vortex' };
}

function plainText(content: string | readonly z.infer<typeof textPart>[] | null | undefined): string {
  if (content === null || content === undefined || typeof content === 'string') return content ?? '';
  return content.map((part) => part.text ?? '').join('\n');
}
