import type { Redis } from 'ioredis';
import { connect, type QueueLog, type RedisOptions } from './connect.ts';
import { QueueUnavailable } from './errors.ts';
import { keys } from './keys.ts';
import { type Reply, runScript, word } from './scripts.ts';

/** What a key may do, at all gateways together; absent: as much as it likes. */
export interface RequestBounds {
  requestsPerMinute?: number | undefined;
  /** As many at once; a minute's worth when absent. */
  burst?: number | undefined;
  minuteTokens?: number | undefined;
  dayTokens?: number | undefined;
  concurrentQueries?: number | undefined;
}

export type LimitName = 'requests' | 'minute_tokens' | 'day_tokens' | 'concurrent';
/** `reserved`: what is left of its tokens is put by for questions of the key that are under way. */
export type Refusal = LimitName | 'reserved';

export interface LimitedQuery {
  id: string;
  leaseMs: number;
  /** The most it can cost; 0: no language model is asked. */
  mostTokens: number;
}

export interface LimitState {
  limit: LimitName;
  /** As many were there at first. */
  quota: number;
  /** What it is for; absent: for any time. */
  windowMs?: number;
  remaining: number;
  /** When none remains: until one is there again. Else until all are. */
  resetMs: number;
}

export interface LimitVerdict {
  /** Null: none; the request is counted. */
  refusedBy: Refusal | null;
  /** Until it may be let in. */
  waitMs: number;
  /** Of the limits there are. */
  states: LimitState[];
}

/** Counts what keys with limits do. One script per request; nothing is asked for a key without. */
export interface RequestLimits {
  /**
   * `query`: holds a place among the concurrent ones, and the most tokens it can cost, until `release`, or for `leaseMs`.
   * @throws QueueUnavailable
   */
  judge(keyId: string, bounds: RequestBounds, query: LimitedQuery | null): Promise<LimitVerdict>;
  /**
   * Nobody waits for it: it goes out before the answer does, on the connection by which the next request of the same
   * client is judged. Lost, all is free when the lease is over. `what`: of a question that nobody waits for any more but
   * that is still to be answered, the place alone.
   */
  release(keyId: string, query: Pick<LimitedQuery, 'id' | 'mostTokens'>, what: 'all' | 'place'): void;
  close(): void;
}

const refusals: Record<string, Refusal> = {
  REQUESTS: 'requests',
  MINUTE_TOKENS: 'minute_tokens',
  DAY_TOKENS: 'day_tokens',
  CONCURRENT: 'concurrent',
  RESERVED: 'reserved',
};

export function createRequestLimits(redis: RedisOptions, log?: QueueLog): RequestLimits {
  const commands = connect(redis, 'fail-fast', log);
  return {
    async judge(keyId, bounds, query) {
      const { requestsPerMinute = 0, minuteTokens = 0, dayTokens = 0, concurrentQueries = 0 } = bounds;
      const { burst = requestsPerMinute } = bounds;
      const [ofMinute, ofDay] = query === null ? [0, 0] : [minuteTokens, dayTokens];
      const places = query === null ? 0 : concurrentQueries;
      let reply: Reply;
      try {
        reply = await runScript(
          commands,
          'judge-request',
          [keys.spent(keyId), keys.openQueries(keyId), keys.reservations(keyId)],
          [requestsPerMinute, burst, ofMinute, ofDay, places, memberOf(query), query?.leaseMs ?? 0],
        );
      } catch (error) {
        throw new QueueUnavailable('the limits could not be asked: Redis is down or slow', error);
      }
      if (!Array.isArray(reply)) throw new TypeError('judge-request answered no list');
      const [said, ...rest] = reply;
      const numbers = rest.map(Number);
      const state = (place: number) => ({
        remaining: numbers[place] ?? 0,
        resetMs: numbers[place + 1] ?? 0,
      });
      const states: LimitState[] = [];
      if (requestsPerMinute > 0) {
        const windowMs = (60_000 * burst) / requestsPerMinute;
        states.push({ limit: 'requests', quota: burst, windowMs, ...state(1) });
      }
      if (ofMinute > 0)
        states.push({ limit: 'minute_tokens', quota: ofMinute, windowMs: 60_000, ...state(3) });
      if (ofDay > 0) states.push({ limit: 'day_tokens', quota: ofDay, windowMs: 86_400_000, ...state(5) });
      if (places > 0) states.push({ limit: 'concurrent', quota: places, ...state(7) });
      return { refusedBy: refusals[word(said ?? null)] ?? null, waitMs: numbers[0] ?? 0, states };
    },
    release(keyId, query, what) {
      const member = memberOf(query);
      const from =
        what === 'all' ? [keys.openQueries(keyId), keys.reservations(keyId)] : [keys.openQueries(keyId)];
      for (const key of from) commands.zrem(key, member).catch(() => undefined);
    },
    close: () => commands.disconnect(),
  };
}

/** What a query is called in the sets of those under way. */
export function memberOf(query: Pick<LimitedQuery, 'id' | 'mostTokens'> | null): string {
  return query === null ? '' : `${query.id}:${query.mostTokens}`;
}

/** What answers cost, told by who made them. */
export interface TokenCharges {
  /**
   * To be waited for before the answer is told: who then asks again is judged by it. `reservation`: what the question was
   * called when it was let in. Never rejects: a Redis that is away misses the tokens of some answers.
   */
  charge(keyId: string, tokens: number, reservation: string | undefined): Promise<void>;
  close(): void;
}

export function createTokenCharges(redis: RedisOptions, log?: QueueLog): TokenCharges {
  // Most instances have no such key, and need no connection.
  let commands: Redis | undefined;
  return {
    async charge(keyId, tokens, reservation = '') {
      if (tokens <= 0) return;
      commands ??= connect(redis, 'worker', log);
      const places = [keys.spent(keyId), keys.reservations(keyId)] as const;
      try {
        await runScript(commands, 'charge-tokens', [...places], [Math.ceil(tokens), reservation]);
      } catch (error) {
        log?.warn({ key_id: keyId, tokens, error: String(error) }, 'an answer’s tokens were not charged');
      }
    },
    close: () => commands?.disconnect(),
  };
}
