import { expect, it } from 'vitest';
import { HttpProblem } from '../problem.ts';
import { createDoor, type Visit } from './door.ts';

/**
 * The door before a chain of one list and twelve slots of 400 ms, first come, first served, as Redis' lists are; all
 * under a clock of the test's own.
 */
const slots = 12;
const generationMs = 400;

interface Sent {
  tenant: string | undefined;
  sentMs: number;
  done(tookMs: number): void;
}

function world() {
  let now = 0;
  const door = createDoor({ replicas: { capacity: () => ({ slots, isGone: false }) }, now: () => now });
  const list: { sent: Sent; visit: Visit }[] = [];
  const running: { endsMs: number; sent: Sent; visit: Visit }[] = [];
  const refused: string[] = [];

  async function send(
    tenant: string | undefined,
    remainingMs: number,
    done: (ms: number) => void = () => {},
  ) {
    try {
      const sent = { tenant, sentMs: now, done };
      const visit = await door.enter({ remainingMs, tenant });
      list.push({ sent, visit });
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error;
      refused.push(`${tenant} ${error.problem.code}`);
    }
  }

  /** One millisecond. */
  async function tick() {
    now += 1;
    for (const job of running.splice(0)) {
      if (job.endsMs > now) running.push(job);
      else {
        job.visit.leave({
          timings: { queue_encode: now - job.sent.sentMs - generationMs, generate: generationMs },
        });
        job.sent.done(now - job.sent.sentMs);
      }
    }
    // Turns are granted in microtasks.
    for (let step = 0; step < 8; step += 1) await Promise.resolve();
    while (running.length < slots) {
      const next = list.shift();
      if (next === undefined) break;
      running.push({ endsMs: now + generationMs, ...next });
    }
  }
  return { send, tick, refused };
}

/** P95 of a tenant that asks about every 700 ms, beside a flood of 10,000 or none. */
async function quietP95(options: { flood: number; withKeys: boolean }) {
  const { send, tick, refused } = world();
  const tookMs: number[] = [];
  const [quiet, loud] = options.withKeys ? ['quiet', 'loud'] : [undefined, undefined];
  let flooded = 0;
  for (let ms = 0; ms < 60_000; ms += 1) {
    if (ms % 701 === 0) void send(quiet, 60_000, (took) => tookMs.push(took));
    // Sixty-four at a time, and more than the chain can answer.
    if (ms >= 2000 && flooded < options.flood && ms % 5 === 0) {
      flooded += 1;
      void send(loud, 60_000);
    }
    await tick();
  }
  tookMs.sort((one, other) => one - other);
  return { p95: tookMs[Math.floor(0.95 * tookMs.length)] ?? 0, answered: tookMs.length, refused };
}

it('a flood of 10,000 raises the P95 of another tenant by less than a fifth', async () => {
  const alone = await quietP95({ flood: 0, withKeys: true });
  const beside = await quietP95({ flood: 10_000, withKeys: true });
  expect(alone.p95).toBeLessThan(generationMs + 10);
  expect(beside.p95 / alone.p95).toBeLessThan(1.2);
  expect(beside.answered).toBe(alone.answered);
  // The flood itself is told when it would come too late; the other never.
  expect(beside.refused.filter((word) => word.startsWith('quiet'))).toEqual([]);
  expect(new Set(beside.refused)).toEqual(new Set(['loud overloaded']));
  // One line for all, as without keys: what it is worth.
  const mixed = await quietP95({ flood: 10_000, withKeys: false });
  expect(mixed.p95 / alone.p95).toBeGreaterThan(10);
});
