import type { Redis } from 'ioredis';
import { keys } from './keys.ts';
import { runScript, word } from './scripts.ts';

/** What a generator saw of its language model since its last report; lua/report.lua takes it from here. */
export interface ReplicaNotes {
  worker_name: string;
  slots: number;
  /** How often the breaker had opened when the calls began; under another number they are not counted. */
  trips?: number;
  /** Calls that ended. */
  ok: number;
  failed: number;
  /** Weight of the failures since the last call that went well. */
  streak: number;
  /** First tries begun: each deposits a tenth of a retry. */
  begun: number;
  /** A probe runs here. */
  probing?: boolean;
  /** The probe ended without saying anything of the replica (cancelled, refused for the caller's own fault). */
  released?: boolean;
  /** Moving averages of this replica, with twice their deviation; absent while nothing is known. */
  first_token_ms?: number | undefined;
  token_ms?: number | undefined;
  /** The process stops. */
  leaving?: boolean;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

export interface ReplicaVerdict {
  state: BreakerState;
  /** The state before this report. */
  from?: BreakerState;
  /** How often the breaker opened; a call begun under another number says nothing of the present state. */
  trips: number;
  /** Calls it may run at a time; 0: only a probe. */
  slots: number;
  /** It may pull from the shared list. */
  shared: boolean;
  drained: boolean;
  /** Other replicas that would take work just now. */
  others: number;
  /** The slowest healthy other's figures; absent while none is known. */
  first_token_ms?: number;
  token_ms?: number;
  budget: number;
}

/** routing research: five in a row, or a half of at least eight calls in half a minute. */
export const defaultBreakerRules = {
  consecutive: 5,
  ratio: 0.5,
  min_calls: 8,
  window_ms: 30_000,
  open_ms: 2000,
  // Half of the usual minute: a replica that is well again shall have its share back within a minute.
  max_open_ms: 30_000,
  probe_ms: 10_000,
  /** A replica that opens again within this time of closing stays open longer than the last time. */
  forgive_ms: 60_000,
  alive_ms: 10_000,
  forget_ms: 600_000,
} as const;
export type BreakerRules = { readonly [Rule in keyof typeof defaultBreakerRules]: number };

export async function reportReplica(
  redis: Redis,
  report: { url: string; list: string; notes: ReplicaNotes; rules?: BreakerRules; jitter?: number },
): Promise<ReplicaVerdict> {
  const { url, list, notes, rules = defaultBreakerRules } = report;
  // Downwards only: replicas that opened together must not ask for their probes together, nor later than said.
  const jitter = report.jitter ?? 0.75 + Math.random() / 4;
  const reply = await runScript(
    redis,
    'report',
    [keys.pool, list, keys.sharedGeneratorList],
    [url, JSON.stringify(notes), JSON.stringify(rules), jitter],
  );
  return JSON.parse(word(reply)) as ReplicaVerdict;
}
