import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { turnToParse } from '../middleware/turn-to-parse.ts';
import { createRestingLine } from './resting-line.ts';
import { turnToWrite } from './write-in-turn.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setImmediate', 'setTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('lets pieces of work go one after the other, each followed by a rest of twice its time, also where it failed', async () => {
  const begun: number[] = [];
  const turn = createRestingLine();
  const work = async (tookMs: number) => {
    await turn();
    begun.push(performance.now());
    clock += tookMs;
    if (tookMs === 10) throw new Error('it failed');
  };
  let clock = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  const done = Promise.allSettled([work(3), work(10), work(1)]);
  let rested = 0;
  for (const setting = vi.spyOn(globalThis, 'setTimeout'); ; ) {
    await vi.advanceTimersToNextTimerAsync();
    const rest = setting.mock.calls.at(rested)?.[1];
    if (rest === undefined) {
      if (begun.length === 3 && vi.getTimerCount() === 0) break;
      continue;
    }
    rested += 1;
    clock += rest;
  }
  expect((await done).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(begun).toEqual([0, 9, 39]);
});

it('keeps no small answer waiting, and no small body', () => {
  expect(turnToWrite(1000)).toBeUndefined();
  expect(turnToParse(1000)).toBeUndefined();
});
