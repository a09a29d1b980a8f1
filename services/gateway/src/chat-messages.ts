import { z } from '@hono/zod-openapi';
import { cacheMode, collectionName, queryRequest } from '@vortex/contracts';
import { gatewayProblem } from './problem.ts';

const textPart = z.looseObject({ type: z.literal('text'), text: z.string() });
const otherPart = z.looseObject({ type: z.string() });
const message = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(z.union([textPart, otherPart])), z.null()]).optional(),
});

/**
 * OpenAI's request as far as it is understood. Fields it does not know are accepted and ignored: clients
 * send new ones every month, and none of them changes what a collection says.
 */
export const chatRequest = z
  .looseObject({
    model: z.string().max(200),
    messages: z.array(message).min(1),
    stream: z.boolean().nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
    max_tokens: z.int().min(1).nullish(),
    max_completion_tokens: z.int().min(1).nullish(),
    /** Ours, beside OpenAI's fields (`extra_body` in its clients). */
    cache: cacheMode.optional(),
  })
  .openapi('ChatCompletionRequest');
export type ChatRequest = z.infer<typeof chatRequest>;

const modelForm = /^rag(?::(.+))?$/;

/** `rag:<collection>` or `rag`. Undefined: the default collection. @throws HttpProblem 404 `model_not_found` */
export function collectionOfModel(model: string): string | undefined {
  const named = modelForm.exec(model);
  const collection = named?.[1];
  if (named !== null && (collection === undefined || collectionName.safeParse(collection).success)) {
    return collection;
  }
  throw gatewayProblem('model_not_found', {
    detail:
      'Models are named rag:<collection>, or rag for the default collection; GET /v1/models lists them.',
    errors: [{ pointer: '/model', message: 'is not the name of a model' }],
  });
}

/**
 * The question: the text of the last message by the user. What was said before it does not take part in the
 * search. @throws HttpProblem 422 `validation`
 */
export function questionOf(messages: ChatRequest['messages']): string {
  const index = messages.findLastIndex((one) => one.role === 'user');
  if (index === -1) {
    throw gatewayProblem('validation', {
      detail: 'There is no message of the role user to answer.',
      errors: [{ pointer: '/messages', message: 'must have a message of the role user' }],
    });
  }
  const parsed = queryRequest.shape.query.safeParse(textOf(messages[index]?.content));
  if (parsed.success) return parsed.data;
  throw gatewayProblem('validation', {
    detail: 'The last message of the user cannot be a question.',
    errors: parsed.error.issues.map(({ message: text }) => ({
      pointer: `/messages/${index}/content`,
      message: text,
    })),
  });
}

function textOf(content: z.infer<typeof message>['content']): string {
  if (typeof content === 'string') return content;
  return (content ?? [])
    .map((part) => ('text' in part && typeof part.text === 'string' ? part.text : ''))
    .filter((text) => text !== '')
    .join('\n');
}
