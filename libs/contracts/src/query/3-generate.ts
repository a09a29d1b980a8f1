import { z } from 'zod';
import { madeFrom, source } from '../answer.ts';
import { encodeInput } from './1-encode.ts';

const chatMessage = z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() });
export type ChatMessage = z.infer<typeof chatMessage>;

/** `job:llm_in` or `job:llm_in:<WORKER_NAME>`: the augmented prompt, and what its numbered passages are. */
export const generateInput = encodeInput
  .omit({ mode: true, filter: true, neighbours: true, cache: true })
  .extend({
    collection: z.string(),
    messages: z.array(chatMessage).min(1),
    /** The passages of the prompt in its order: marker [n] is `sources[n - 1]`. */
    sources: z.array(source),
    degraded: z.array(z.string()).default([]),
    made_from: madeFrom.omit({ generation: true }).optional(),
  });
export type GenerateInput = z.infer<typeof generateInput>;
