import { z } from '@hono/zod-openapi';
import { type Answer, queryResponse } from '@vortex/contracts';

const usage = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
});

const annotation = z.object({
  type: z.literal('url_citation'),
  url_citation: z.object({
    start_index: z.int(),
    end_index: z.int(),
    title: z.string(),
    url: z.string(),
  }),
});

const finishReason = z.enum(['stop', 'length']);

/** What OpenAI's shape has no place for; clients that do not know it pass it by. */
const ragDetails = queryResponse.omit({ answer: true, attempt: true, usage: true });
export type RagDetails = z.infer<typeof ragDetails>;

export const chatCompletion = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal('assistant'),
          content: z.string(),
          refusal: z.null(),
          annotations: z.array(annotation),
        }),
        logprobs: z.null(),
        finish_reason: finishReason,
      }),
    ),
    usage,
    x_rag: ragDetails,
  })
  .openapi('ChatCompletion');

export function chatCompletionOf(
  model: string,
  createdAt: number,
  answer: Answer,
  details: RagDetails,
): z.infer<typeof chatCompletion> {
  return {
    id: details.id,
    object: 'chat.completion',
    created: Math.floor(createdAt / 1000),
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.answer,
          // OpenAI's `refusal` means that the model would not; ours (no context) is an answer, see x_rag.
          refusal: null,
          annotations: annotationsOf(answer),
        },
        logprobs: null,
        finish_reason: finishReasonOf(answer),
      },
    ],
    usage: usageOf(answer),
    x_rag: details,
  };
}

export function annotationsOf(answer: Answer): z.infer<typeof annotation>[] {
  return answer.citations.map((one) => ({
    type: 'url_citation',
    url_citation: {
      start_index: one.answer_span[0],
      end_index: one.answer_span[1],
      title: one.title,
      url: `/api/documents/${one.document_id}/text`,
    },
  }));
}

/** `length`: the caller's `max_tokens` or the model's own limit cut the answer off. */
export function finishReasonOf(answer: Answer): z.infer<typeof finishReason> {
  return answer.degraded.includes('answer_truncated') ? 'length' : 'stop';
}

/** OpenAI's counts are numbers; a backend that does not count tokens reads as 0. */
export function usageOf(answer: Answer): z.infer<typeof usage> {
  const prompt = answer.usage.prompt_tokens ?? 0;
  const completion = answer.usage.completion_tokens ?? 0;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/**
 * OpenAI's streams cannot take text back. When another worker begins the answer anew, its text is compared
 * with what the client has: as long as it says the same, only what goes beyond is passed on.
 */
export function createPrefixKeeper(): {
  restart(): void;
  /** The part of this delta that the client has not got. */
  next(text: string): string;
  /** Whether the client now has exactly this text. */
  holds(answer: string): boolean;
} {
  let sent = '';
  let told = '';
  return {
    restart() {
      told = '';
    },
    next(text) {
      told += text;
      if (!told.startsWith(sent)) return '';
      const more = told.slice(sent.length);
      sent = told;
      return more;
    },
    holds: (answer) => sent === answer,
  };
}
