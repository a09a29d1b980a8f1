import { describe, expect, test } from 'vitest';
import { createRequestRunner } from '../drive/request-runner.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { dealRequests } from '../plan/deal-requests.ts';
import { builtInQuestions } from '../plan/questions.ts';
import { randomFor } from '../plan/random.ts';
import { emptyReply, type Target } from '../target/target.ts';
import { findLimit } from './find-limit.ts';
import { createProbe } from './probe-rate.ts';

const slo = [
  { text: 'p99<500ms', name: 'p99', limit: 500 },
  { text: 'err<1%', name: 'err', limit: 0.01 },
] as const;

/** Four workers and a queue before them, 40 to 60 ms an answer: 80 a second is all that it can ever do. */
function queueingStack(seed: number) {
  const clock = createManualClock();
  const random = randomFor(seed, 'service times');
  const freeAt = [0, 0, 0, 0];
  const target: Target = {
    async send(_request, signal) {
      const worker = freeAt.indexOf(Math.min(...freeAt));
      const doneMs = Math.max(clock.now(), freeAt[worker] ?? 0) + 40 + 20 * random();
      freeAt[worker] = doneMs;
      await clock.sleepUntil(doneMs, signal);
      return emptyReply;
    },
  };
  const { signal } = new AbortController();
  const runner = createRequestRunner({ clock, target, signal });
  const deal = dealRequests({ seed, questions: builtInQuestions, ingestShare: 0, tenants: 0, traceShare: 0 });
  const probe = createProbe({ clock, runner, deal, signal, slo, stepMs: 8_000, maxInFlight: 1_000, seed });
  return { clock, probe };
}

async function limitOf(seed: number) {
  const { clock, probe } = queueingStack(seed);
  const search = { startRate: 11, maxRate: 1_000, tolerance: 0.05, probe, note: () => {} };
  return clock.run(findLimit(search));
}

describe('the limit of a queue', { timeout: 60_000 }, () => {
  // 20 s at 82/s leave 40 waiting, for half a second: no probe of that length can tell it from 80/s.
  test('is found at its capacity, and the same within a fifth for other arrivals', async () => {
    const limits = [];
    for (const seed of [1, 2, 3]) limits.push(await limitOf(seed));
    const rates = limits.map(({ foundRate }) => foundRate ?? 0);
    expect(Math.min(...rates)).toBeGreaterThan(60);
    expect(Math.max(...rates)).toBeLessThan(82);
    expect(Math.max(...rates) / Math.min(...rates)).toBeLessThan(1.2);
    expect(limits.every(({ confirmed }) => confirmed)).toBe(true);
  });

  test('a rate far beyond it is given up early, and fails', async () => {
    const { clock, probe } = queueingStack(1);
    const step = await clock.run(probe(400, 'doubling'));
    expect(step?.passed).toBe(false);
    expect(step?.reasons.join()).toContain('in flight');
    // 10 s of it would take 50 s to be answered.
    expect(clock.now()).toBeLessThan(12_000);
  });

  test('a low rate is loaded until its P99 has an upper bound', async () => {
    const { clock, probe } = queueingStack(1);
    expect((await clock.run(probe(20, 'confirm')))?.response.p99.resolved).toBe(true);
    expect((await clock.run(probe(20, 'doubling')))?.response.count).toBeLessThan(200);
  });
});
