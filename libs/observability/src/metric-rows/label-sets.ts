import { failureCodes, type StageName, stageNames, stages } from '@vortex/contracts';

/** Closed sets that several rows share. */
export type QueueName = (typeof stages)[StageName]['list'];
export const queue = stageNames.map((stage) => stages[stage].list) as [QueueName, ...QueueName[]];

/** Jobs that nobody had in hand when their time was over are known by their lane alone. */
export const queueOrLane = [...queue, 'job:live', 'job:live:low'] as const;

export const stage = stageNames as [StageName, ...StageName[]];
export const code = failureCodes;
/** `degraded`: an answer that says of itself what it lacks. `refused`: nothing in the documents. Both are answers. */
export const queryOutcome = [
  'ok',
  'degraded',
  'refused',
  'rejected',
  'timeout',
  'cancelled',
  'error',
] as const;
export const queryMode = ['sync', 'stream', 'async'] as const;
export const replica = { boundedBy: 'one per address of a generator' } as const;
export const mediaType = { boundedBy: 'the media types that are read, and `other`' } as const;
export const ingestOutcome = [
  'published',
  'superseded',
  'unchanged',
  'rejected',
  'failed',
  'cancelled',
] as const;
export const searchMode = ['dense', 'sparse', 'hybrid'] as const;
