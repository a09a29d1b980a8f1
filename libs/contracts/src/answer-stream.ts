import { z } from 'zod';
import { citation, source } from './answer.ts';

/**
 * Frames a generator publishes while a `stream: true` query runs, on the pub/sub channel of the
 * submitter in `reply_to`. Fire and forget: the completion stays the truth. `attempt` and `redelivered`
 * tell apart the frames of a run that died from those of the run that took over.
 */
const frameHeader = z.object({ id: z.string(), attempt: z.int().min(1), redelivered: z.int().min(0) });

export const answerFrame = z.discriminatedUnion('kind', [
  frameHeader.extend({ kind: z.literal('sources'), sources: z.array(source) }),
  frameHeader.extend({ kind: z.literal('delta'), text: z.string() }),
  frameHeader.extend({ kind: z.literal('citation'), citation }),
]);
export type AnswerFrame = z.infer<typeof answerFrame>;

/** A frame as a stage emits it; the runtime adds the header. */
export type AnswerFrameBody =
  | { kind: 'sources'; sources: z.infer<typeof source>[] }
  | { kind: 'delta'; text: string }
  | { kind: 'citation'; citation: z.infer<typeof citation> };
