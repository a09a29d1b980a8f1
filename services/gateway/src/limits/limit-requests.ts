import { newId } from '@vortex/contracts';
import { type LimitedQuery, type LimitVerdict, memberOf, type RequestLimits } from '@vortex/queue';
import type { Question } from '../ask.ts';
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
 * one that never gets so far (a body that cannot be read) is judged when it fails, so that these are not free. The most
 * tokens it can cost are put by for it, until whoever makes the answer charges what it did cost.
 */
export async function limitRequest(
  limits: RequestLimits,
  exchange: Exchange,
  query?: { timeoutMs: number; mostTokens: number },
): Promise<void> {
  const { keyId, limits: bounds } = exchange.caller;
  if (keyId === null || bounds === null || exchange.isJudged) return;
  exchange.isJudged = true;
  const { requests_per_minute: requestsPerMinute, burst, concurrent_queries: concurrentQueries } = bounds;
  const { tokens_per_minute: minuteTokens, tokens_per_day: dayTokens } = bounds;
  const ofQuery = minuteTokens ?? dayTokens ?? concurrentQueries;
  // Only stored documents are bounded: the registry counts these.
  if (requestsPerMinute === undefined && (query === undefined || ofQuery === undefined)) return;
  const judged: LimitedQuery | null =
    query === undefined
      ? null
      : { id: newId('req'), leaseMs: query.timeoutMs + graceMs, mostTokens: query.mostTokens };
  const verdict: LimitVerdict = await limits.judge(
    keyId,
    { requestsPerMinute, burst, minuteTokens, dayTokens, concurrentQueries },
    judged,
  );
  exchange.limitHeaders = rateLimitHeaders(verdict.states);
  if (verdict.refusedBy !== null) throw limitProblem(verdict.refusedBy, verdict.waitMs);
  const reserves = (minuteTokens ?? dayTokens) !== undefined && query !== undefined && query.mostTokens > 0;
  if (judged === null || (concurrentQueries === undefined && !reserves)) return;
  if (reserves) exchange.reservation = memberOf(judged);
  exchange.release = (what) => limits.release(keyId, judged, what);
}

/** Of a question, whose body is known. @throws HttpProblem 429; QueueUnavailable */
export async function limitQuestion(
  { limits, settings, mostTokens }: Pick<GatewayDependencies, 'limits' | 'settings' | 'mostTokens'>,
  exchange: Exchange,
  { query, deadline_ms = settings.query_timeout_ms, max_tokens = mostTokens.answer }: AskedQuestion,
): Promise<void> {
  if (exchange.caller.limits === null) return;
  // The question is put into the prompt beside its budget, and has no more tokens than characters.
  const most = mostTokens.prompt + query.length + max_tokens;
  await limitRequest(limits, exchange, { timeoutMs: deadline_ms, mostTokens: most });
}

type AskedQuestion = Pick<Question, 'query' | 'deadline_ms' | 'max_tokens'>;

/** Of a search, whose body is known: it asks no language model. @throws HttpProblem 429; QueueUnavailable */
export async function limitSearch(
  { limits, settings }: Pick<GatewayDependencies, 'limits' | 'settings'>,
  exchange: Exchange,
): Promise<void> {
  if (exchange.caller.limits === null) return;
  await limitRequest(limits, exchange, { timeoutMs: settings.query_timeout_ms, mostTokens: 0 });
}

/** Nobody waits for the question any more, but it will be answered: what is put by for it stays so until then. */
export function leaveUnderWay(exchange: Exchange): void {
  exchange.release?.('place');
  exchange.release = undefined;
}
