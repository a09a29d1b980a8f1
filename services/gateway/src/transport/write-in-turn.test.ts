import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { turnToWrite } from './write-in-turn.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setImmediate', 'setTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('lets large answers be written one after the other, each followed by a rest of twice its time', async () => {
  const begun: number[] = [];
  const write = async (tookMs: number) => {
    await turnToWrite(200_000);
    begun.push(performance.now());
    clock += tookMs;
  };
  let clock = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  const written = Promise.all([write(3), write(10), write(1)]);
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
  await written;
  expect(begun).toEqual([0, 9, 39]);
});

it('keeps no small one waiting', () => {
  expect(turnToWrite(1000)).toBeUndefined();
});
