import {
  type ExplainPart,
  explainedEnd,
  explainedGeneration,
  explainedRequest,
  explainedRetrieval,
  type QueryExplanation,
  sumOfTimings,
  type TimingsMs,
  type WaterfallBar,
} from '@vortex/contracts';
import type { z } from 'zod';

/**
 * Puts the parts of a query's story together. They come from processes of perhaps other versions, over a cache that may
 * lose any of them: a part that cannot be read is missing like one that is not there, and the rest is told.
 *
 * Which durations hold: those that the client was told. Of an asynchronous query the gateway knows only the beginning,
 * and of one that ran into its deadline perhaps no stage; those are then the ending worker's.
 */
export function explainQuery(id: string, kept: Readonly<Record<string, unknown>>): QueryExplanation {
  const request = readPart(explainedRequest, kept.gateway);
  const retrieval = readPart(explainedRetrieval, kept.retrieve);
  const generation = readPart(explainedGeneration, kept.generate);
  const end = readPart(explainedEnd, kept.end);
  const status = request === null || request.status === 'queued' ? (end?.status ?? 'queued') : request.status;
  const timings = rounded(timingsOfStory(request, end));
  const story = { request, retrieval, generation, end };
  return {
    ...{ id, status, request, timings_ms: timings, waterfall: waterfallOf(timings) },
    tries: end?.tries ?? [],
    attempt: end?.attempt ?? request?.attempt ?? 1,
    ...{ retrieval, generation },
    error: request?.error ?? end?.error ?? null,
    degraded: [...new Set([request, retrieval, generation].flatMap((part) => part?.degraded ?? []))],
    missing: missingOf(status, story),
  };
}

interface Story {
  request: z.infer<typeof explainedRequest> | null;
  retrieval: z.infer<typeof explainedRetrieval> | null;
  generation: z.infer<typeof explainedGeneration> | null;
  end: z.infer<typeof explainedEnd> | null;
}

function readPart<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | null {
  return schema.safeParse(value).data ?? null;
}

function timingsOfStory(request: Story['request'], end: Story['end']): TimingsMs {
  if (request === null) return end?.timings_ms ?? {};
  if (request.status === 'completed' || end === null) return request.timings_ms;
  const { deliver: _deliver, reply, total, ...before } = request.timings_ms;
  const known = { ...before, ...end.timings_ms, ...(reply !== undefined && { reply }) };
  const sum = sumOfTimings(known);
  if (total === undefined) return { ...known, total: round(sum) };
  return { ...known, deliver: round(Math.max(0, total - sum)), total };
}

const stageOrder = ['encode', 'retrieve', 'generate'] as const;
const order: readonly string[] = [
  ...['receive', 'cache_lookup', 'admit', 'turn', 'shared'],
  ...stageOrder.flatMap((stage) => [`retry_${stage}`, `queue_${stage}`, stage]),
  ...['deliver', 'reply'],
];

/** The named durations, end to end in the order in which they were spent. */
function waterfallOf(timings: TimingsMs): WaterfallBar[] {
  const bars: WaterfallBar[] = [];
  let start = 0;
  for (const name of order) {
    const ms = timings[name];
    if (ms === undefined) continue;
    bars.push({ name, kind: kindOf(name), start_ms: round(start), ms });
    start += ms;
  }
  return bars;
}

function kindOf(name: string): WaterfallBar['kind'] {
  if (name.startsWith('queue_')) return 'queue';
  if (name.startsWith('retry_')) return 'retry';
  return (stageOrder as readonly string[]).includes(name) ? 'stage' : 'gateway';
}

/** Parts that a query with this end and these other parts must have. */
function missingOf(status: string, { request, retrieval, generation, end }: Story): ExplainPart[] {
  const missing: ExplainPart[] = [];
  if (request === null) missing.push('gateway');
  const isOwn = request === null || request.cache === null || !['hit', 'shared'].includes(request.cache);
  if (isOwn && status === 'completed') {
    if (retrieval === null) missing.push('retrieve');
    if (generation === null && (retrieval === null ? request?.answered : retrieval.outcome === 'prompt'))
      missing.push('generate');
  }
  // What is still under way has no end yet.
  if (end === null && request?.status === 'completed' && request.attempt > 1) missing.push('end');
  return missing;
}

function rounded(timings: TimingsMs): TimingsMs {
  return Object.fromEntries(Object.entries(timings).map(([name, ms]) => [name, round(ms)]));
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
