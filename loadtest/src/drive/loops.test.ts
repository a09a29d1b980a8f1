import { describe, expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../fixtures/manual-clock.ts';
import { createLatencyHistogram } from '../measure/latency-histogram.ts';
import { arrivals } from '../plan/arrivals.ts';
import { dealRequests } from '../plan/deal-requests.ts';
import { builtInQuestions } from '../plan/questions.ts';
import { timesOf } from '../sample-schema.ts';
import { emptyReply, type Target } from '../target/target.ts';
import { closedLoop } from './closed-loop.ts';
import { openLoop } from './open-loop.ts';
import { createRequestRunner } from './request-runner.ts';

const deal = () =>
  dealRequests({ seed: 1, questions: builtInQuestions, ingestShare: 0, tenants: 0, traceShare: 0 });

/** Answers after 20 ms; what arrives while it is frozen is answered 20 ms after it thaws. */
function freezingTarget(clock: ManualClock, frozen = { fromMs: 4_000, untilMs: 6_000 }): Target {
  return {
    async send(_request, signal) {
      let doneMs = clock.now() + 20;
      if (doneMs > frozen.fromMs && clock.now() < frozen.untilMs) doneMs = frozen.untilMs + 20;
      await clock.sleepUntil(doneMs, signal);
      return signal.aborted ? null : emptyReply;
    },
  };
}

function start(target?: (clock: ManualClock) => Target) {
  const clock = createManualClock();
  const interruption = new AbortController();
  const { signal } = interruption;
  const runner = createRequestRunner({ clock, signal, target: (target ?? freezingTarget)(clock) });
  return { clock, runner, interruption, parts: { clock, runner, signal, deal: deal() } };
}

function p99(runner: ReturnType<typeof start>['runner'], which: 'responseMs' | 'serviceMs'): number {
  const measured = runner.samples.filter(({ phase }) => phase === 'measured');
  return (
    createLatencyHistogram(measured.map((sample) => timesOf(sample)?.[which] ?? 0)).quantileMs(0.99) ?? 0
  );
}

describe('the target freezes for two of ten seconds', () => {
  test('an open loop shows it', async () => {
    const { clock, runner, parts } = start();
    const plan = arrivals({ mode: 'constant', rate: 100, fromMs: 0, untilMs: 10_000, seed: 1 });
    await clock.run(openLoop({ ...parts, arrivals: plan, maxInFlight: 1_000, measuredFromMs: 0 }));
    expect(runner.samples).toHaveLength(1_000);
    expect(p99(runner, 'responseMs')).toBeGreaterThan(1_850);
    expect(p99(runner, 'responseMs')).toBeLessThan(2_050);
  });

  test('a closed loop hides it', async () => {
    const { clock, runner, parts } = start();
    const load = { concurrency: 3, warmupMs: 0, durationMs: 10_000, requests: null };
    await clock.run(closedLoop({ ...parts, ...load }));
    expect(runner.samples.length).toBeGreaterThan(1_100);
    expect(p99(runner, 'serviceMs')).toBeLessThan(25);
  });

  test('what the limit in flight does not let through is counted, not forgotten', async () => {
    const { clock, runner, parts } = start();
    const plan = arrivals({ mode: 'constant', rate: 100, fromMs: 0, untilMs: 10_000, seed: 1 });
    await clock.run(openLoop({ ...parts, arrivals: plan, maxInFlight: 50, measuredFromMs: 0 }));
    const dropped = runner.samples.filter(({ outcome }) => outcome === 'dropped');
    expect(runner.samples).toHaveLength(1_000);
    expect(dropped.length).toBeGreaterThan(145);
    expect(dropped.every((sample) => sample.sent_ms === null && timesOf(sample) === null)).toBe(true);
  });
});

test('the three clocks: how late the load tester was is in the response time, not in the service time', async () => {
  const { clock, runner, parts } = start();
  // Every sleep ends 7 ms late, as on a machine that is too busy.
  const late = {
    now: clock.now,
    sleepUntil: (atMs: number, signal?: AbortSignal) => clock.sleepUntil(atMs + 7, signal),
  };
  const plan = arrivals({ mode: 'constant', rate: 10, fromMs: 100, untilMs: 1_000, seed: 1 });
  await clock.run(openLoop({ ...parts, clock: late, arrivals: plan, maxInFlight: 10, measuredFromMs: 0 }));
  expect(timesOf(runner.samples[3] as never)).toEqual({ responseMs: 27, serviceMs: 20, lagMs: 7 });
});

test('a closed loop keeps so many in flight, and a volley is so many requests', async () => {
  const { clock, runner, parts } = start();
  await clock.run(closedLoop({ ...parts, concurrency: 50, warmupMs: 0, durationMs: null, requests: 50 }));
  expect(runner.samples).toHaveLength(50);
  expect(clock.now()).toBe(20);
  expect(runner.inFlightMean(0)).toBe(50);
});

test('the number in flight is counted of those alone that are asked for, from the first of them on', async () => {
  const { clock, runner, parts } = start();
  for (const step of [0, 1]) {
    const plan = arrivals({ mode: 'constant', rate: 100, fromMs: 0, untilMs: 1_000, seed: 1 });
    const steps = [...plan].map((arrival) => ({ ...arrival, step }));
    const offsetMs = 10_000 * step;
    await clock.run(
      openLoop({ ...parts, arrivals: steps, offsetMs, maxInFlight: 10, measuredFromMs: offsetMs + 500 }),
    );
  }
  // Each takes 20 ms, and 100 a second are sent: two at a time.
  const judged = runner.inFlightMean(0, ({ phase, step }) => phase === 'measured' && step === 1);
  expect(judged).toBeCloseTo(2, 0);
  expect(runner.inFlightMean(0)).toBeLessThan(0.5);
});

test('the warm-up is marked, and the number of requests counts without it', async () => {
  const { clock, runner, parts } = start();
  await clock.run(closedLoop({ ...parts, concurrency: 2, warmupMs: 100, durationMs: null, requests: 7 }));
  expect(runner.samples.filter(({ phase }) => phase === 'warmup')).toHaveLength(10);
  expect(runner.samples.filter(({ phase }) => phase === 'measured')).toHaveLength(7);
});

test('what was asked before the end is waited for', async () => {
  const { clock, runner, parts } = start((at) => freezingTarget(at, { fromMs: 50, untilMs: 5_000 }));
  await clock.run(closedLoop({ ...parts, concurrency: 4, warmupMs: 0, durationMs: 100, requests: null }));
  expect(Math.max(...runner.samples.map(({ done_ms }) => done_ms ?? 0))).toBe(5_020);
});

test('an interruption ends the run at once; what was under way is in no figure', async () => {
  const { clock, runner, interruption, parts } = start();
  const plan = arrivals({ mode: 'constant', rate: 100, fromMs: 0, untilMs: 10_000, seed: 1 });
  const cut = clock.sleepUntil(4_500).then(() => interruption.abort());
  const work = openLoop({ ...parts, arrivals: plan, maxInFlight: 1_000, measuredFromMs: 0 });
  await clock.run(Promise.all([cut, work]));
  expect(clock.now()).toBe(4_500);
  expect(runner.samples.every(({ done_ms }) => (done_ms ?? 0) <= 4_000)).toBe(true);
});

test('the same seed asks the same in the same order', () => {
  const asked = (seed: number) => {
    const next = dealRequests({
      seed,
      questions: builtInQuestions,
      ingestShare: 0.2,
      tenants: 3,
      traceShare: 0,
    });
    return Array.from({ length: 300 }, () => {
      const { kind, tenant, question } = next();
      return `${kind} ${tenant} ${question.query}`;
    });
  };
  expect(asked(1)).toEqual(asked(1));
  expect(asked(1)).not.toEqual(asked(2));
  const ingests = asked(1).filter((line) => line.startsWith('ingest'));
  expect(ingests.length).toBeGreaterThan(40);
  expect(ingests.length).toBeLessThan(80);
});
