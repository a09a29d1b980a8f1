import { describe, expect, test } from 'vitest';
import { HttpProblem } from '../problem.ts';
import { createDoor, type Visit } from './door.ts';

const slots = 10;
const generationMs = 400;

/** A chain of ten slots (or one that is slower for another reason) under a clock of the test's own. */
function world(more: { everyMs?: number } = {}) {
  const state = { now: 0, slots, isGone: false };
  const door = createDoor({
    replicas: { capacity: () => ({ slots: state.slots, isGone: state.isGone }) },
    now: () => state.now,
  });
  const inside: Visit[] = [];
  const everyMs = more.everyMs ?? generationMs / slots;
  const enter = (remainingMs: number): string => {
    try {
      inside.push(atOnce(door.enter({ remainingMs })));
      return 'in';
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error;
      return error.problem.code;
    }
  };
  const answerOne = () => inside.shift()?.leave({ timings: { generate: generationMs } });
  return {
    state,
    door,
    inside,
    enter,
    enterMany: (count: number, remainingMs: number) =>
      Array.from({ length: count }, () => enter(remainingMs)).filter((said) => said === 'in').length,
    /** The chain works for so long at its full speed, as long as it has something. */
    work(ms: number) {
      for (let spentMs = everyMs; spentMs <= ms; spentMs += everyMs) {
        state.now += everyMs;
        answerOne();
      }
    },
    /** One question at a time, as in a quiet hour. */
    quiet(count: number) {
      for (let number = 0; number < count; number += 1) {
        enter(60_000);
        state.now += generationMs;
        answerOne();
        state.now += 1000;
      }
    },
    retryAfterOf(remainingMs: number): number {
      try {
        door.enter({ remainingMs });
      } catch (error) {
        if (error instanceof HttpProblem) return error.problem.retry_after_ms ?? 0;
      }
      return 0;
    },
  };
}

/** Without a key nobody waits for a turn. */
function atOnce(entered: Visit | Promise<Visit>): Visit {
  if (entered instanceof Promise) throw new Error('has to wait');
  return entered;
}

describe('the prediction', () => {
  test('before anything is known everybody is let in: unknown is not zero', () => {
    expect(world().enterMany(500, 1000)).toBe(500);
  });

  test('as many as can be answered in four fifths of their time', () => {
    const { enterMany, work, inside } = world();
    enterMany(20, 60_000);
    work(4000);
    expect(inside).toHaveLength(0);
    // Four of five seconds at 25 a second.
    expect(enterMany(500, 5000)).toBeGreaterThanOrEqual(90);
    expect(inside.length).toBeLessThanOrEqual(100);
  });

  test('a quiet hour does not make the chain look slow', () => {
    const { enterMany, quiet } = world();
    quiet(100);
    expect(enterMany(500, 5000)).toBeGreaterThanOrEqual(90);
  });

  test('a chain that is slower than its slots is known by its answers', () => {
    // The processor allows 10 a second, whatever the slots promise (25).
    const { enterMany, work, inside } = world({ everyMs: 100 });
    enterMany(60, 60_000);
    work(5000);
    enterMany(500, 5000);
    expect(inside.length).toBeGreaterThanOrEqual(30);
    // All of them in their five seconds, though the first round's promise makes the prediction hopeful.
    expect(inside.length).toBeLessThan(50);
  });

  test('a patient question is let in where a hurried one is not', () => {
    const { enterMany, work, enter } = world();
    enterMany(30, 60_000);
    work(800);
    enterMany(100, 5000);
    expect(enter(2000)).toBe('overloaded');
    expect(enter(60_000)).toBe('in');
  });

  test('with a free slot nobody is refused, however hurried', () => {
    const { enterMany, work, enter } = world();
    enterMany(40, 60_000);
    work(4000);
    expect(enter(1)).toBe('in');
  });

  test('an overload sheds the rest, keeps the chain busy, and is over when it is over', () => {
    const { state, enter, enterMany, work, inside } = world();
    enterMany(20, 5000);
    work(800);
    let accepted = 0;
    // 37.5 arrivals a second on 25.
    for (let step = 0; step < 60_000 / 80; step += 1) {
      for (let arrival = 0; arrival < 3; arrival += 1) accepted += enter(5000) === 'in' ? 1 : 0;
      work(80);
      expect(inside.length).toBeLessThanOrEqual(105);
    }
    expect(accepted / 60).toBeGreaterThan(0.95 * 25);
    work(5000);
    state.now += 60_000;
    expect(enter(1000)).toBe('in');
  });

  test('Retry-After is what the queue needs, and no two are told the same', () => {
    const { enterMany, work, retryAfterOf } = world();
    enterMany(200, 60_000);
    work(1000);
    const told = Array.from({ length: 20 }, () => retryAfterOf(2000));
    expect(Math.min(...told)).toBeGreaterThanOrEqual(800);
    expect(new Set(told).size).toBeGreaterThan(10);
  });
});

test('no replica for ten seconds: nobody is let in, waiting or not', () => {
  const { state, door, enter } = world();
  state.isGone = true;
  expect(enter(60_000)).toBe('no_capacity');
  expect(() => door.assertCapacity()).toThrow(HttpProblem);
  state.isGone = false;
  expect(enter(60_000)).toBe('in');
});
