import { newId } from '@vortex/contracts';
import type { LimitVerdict, RequestLimits } from '@vortex/queue';
import type { GatewayDependencies } from '../dependencies.ts';
import type { Exchange } from '../exchange.ts';
import { limitProblem } from './limit-problems.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';

/** Beyond the deadline an answer is still waited for so long (ask.ts), and then told. */
const graceMs = 2000;

/**
 * Judges a request by its key's limits, once, in one command; a key without any costs none.
 *
 *   key has limits ──► judged ──► counted, headers on its answer      goes on
 *                         └─────► 429 rate_limited, quota_exceeded, too_many_concurrent
 *                         └ Redis away: 503 queue_unavailable, neither let in nor blamed
 *
 * A question is judged when its body is known, for its place among the concurrent ones lasts as long as its deadline;
 * one that never gets so far (a body that cannot be read) is judged when it fails, so that these are not free.
 */
export async function limitRequest(
  limits: RequestLimits,
  exchange: Exchange,
  query?: { timeoutMs: number },
): Promise<void> {
  const { keyId, limits: bounds } = exchange.caller;
  if (keyId === null || bounds === null || exchange.isJudged) return;
  exchange.isJudged = true;
  const { requests_per_minute: requestsPerMinute, burst, concurrent_queries: concurrentQueries } = bounds;
  const { tokens_per_minute: minuteTokens, tokens_per_day: dayTokens } = bounds;
  const ofQuery = minuteTokens ?? dayTokens ?? concurrentQueries;
  // Only stored documents are bounded: the registry counts these.
  if (requestsPerMinute === undefined && (query === undefined || ofQuery === undefined)) return;
  const id = newId('req');
  const verdict: LimitVerdict = await limits.judge(
    keyId,
    { requestsPerMinute, burst, minuteTokens, dayTokens, concurrentQueries },
    query === undefined ? null : { id, leaseMs: query.timeoutMs + graceMs },
  );
  exchange.limitHeaders = rateLimitHeaders(verdict.states);
  if (verdict.refusedBy !== null) throw limitProblem(verdict.refusedBy, verdict.waitMs);
  if (query !== undefined && concurrentQueries !== undefined)
    exchange.release = () => limits.release(keyId, id);
}

/** Of a question or a search, whose body is known. @throws HttpProblem 429; QueueUnavailable */
export async function limitQuery(
  { limits, settings }: Pick<GatewayDependencies, 'limits' | 'settings'>,
  exchange: Exchange,
  deadlineMs: number = settings.query_timeout_ms,
): Promise<void> {
  if (exchange.caller.limits !== null) await limitRequest(limits, exchange, { timeoutMs: deadlineMs });
}
