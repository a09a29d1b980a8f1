import { setTimeout as delay } from 'node:timers/promises';
import { QueueFull, QueueUnavailable, type SubmittedJob } from '@vortex/queue';
import type { Chain } from './chain.ts';

/**
 * Jobs that arrive at the light chain in even steps, whether or not those before are done, as people's questions
 * do. A job that is refused (Redis away or full: a 503) is sent again under its id until it is taken, as a client
 * with an idempotency key does: what counts is that each one ends.
 */
export interface LoadOptions {
  jobs: number;
  /** Time in which they arrive. */
  overMs: number;
  /** What the handlers of a job do (chain-stage.ts). */
  query: (number: number) => string;
  deadlineMs?: number;
}

export interface Load {
  /** Of the ids: `<prefix><number>`. */
  readonly prefix: string;
  readonly jobs: number;
  /** Resolves when every job has ended. */
  readonly done: Promise<void>;
  submitted(): number;
  /** Taken by the queue and not ended. */
  inChain(): number;
  ended(): number;
  /** By id: how it ended. */
  ends(): ReadonlyMap<string, JobEnd>;
  /** By job number; a hole where one has not ended. */
  latenciesMs(): readonly number[];
  /** Answers "not now" that clients got and waited out. */
  refusals(): number;
  slowestRefusalMs(): number;
  /** Waits for nothing any more: what has not ended is lost. */
  abandon(): void;
}

export interface JobEnd {
  status: string;
  code: string | null;
  text: string;
}

export function startLoad(chain: Chain, prefix: string, options: LoadOptions): Load {
  const { jobs, overMs, query, deadlineMs = 120_000 } = options;
  const completions = new Map<string, JobEnd>();
  const latenciesMs: number[] = [];
  let submitted = 0;
  let inChain = 0;
  const abandoned = new AbortController();
  let refusals = 0;
  let slowestRefusalMs = 0;

  async function one(number: number): Promise<void> {
    const id = `${prefix}${number}`;
    const begun = performance.now();
    submitted += 1;
    const job: SubmittedJob = {
      list: 'job:encoder_in',
      lane: 'interactive',
      id,
      deadlineAt: Date.now() + deadlineMs,
      envelope: { query: query(number) },
      candidates: chain.candidates,
      cap: 10_000,
    };
    for (;;) {
      const asked = performance.now();
      let admitted = false;
      try {
        const text = await chain.submitter.submit(job, {
          signal: abandoned.signal,
          onAdmitted: () => {
            admitted = true;
            inChain += 1;
          },
        });
        if (admitted) inChain -= 1;
        completions.set(id, readEnd(text));
        latenciesMs[number] = performance.now() - begun;
        return;
      } catch (error) {
        if (!(error instanceof QueueUnavailable || error instanceof QueueFull)) throw error;
        if (admitted) throw new Error(`${id} was taken and then refused`);
        refusals += 1;
        slowestRefusalMs = Math.max(slowestRefusalMs, performance.now() - asked);
        await delay(200 + Math.random() * 200);
      }
    }
  }

  async function arrive(): Promise<void> {
    const begun = performance.now();
    const running: Promise<void>[] = [];
    for (let number = 0; number < jobs; number += 1) {
      const early = begun + (overMs * number) / jobs - performance.now();
      if (early > 2) await delay(early);
      running.push(one(number));
    }
    await Promise.all(running);
  }

  const done = arrive();
  done.catch(() => undefined);
  return {
    prefix,
    jobs,
    done,
    submitted: () => submitted,
    inChain: () => inChain,
    ended: () => completions.size,
    ends: () => completions,
    latenciesMs: () => latenciesMs,
    refusals: () => refusals,
    slowestRefusalMs: () => slowestRefusalMs,
    abandon: () => abandoned.abort(),
  };
}

export function readEnd(text: string): JobEnd {
  const { status, error } = JSON.parse(text) as { status: string; error?: { code?: string } };
  return { status, code: error?.code ?? null, text };
}
