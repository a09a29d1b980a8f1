import type { SubmittedJob } from '@vortex/queue';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createSharedJobs } from './shared-jobs.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const whole = '{"status":"completed","degraded":[]}';

/** Every submitted job ends with `completion` when it is let go. */
function sharedJobs(completion: string) {
  const ends: (() => void)[] = [];
  const cancelled: string[] = [];
  const submitter = {
    submit: () => new Promise<string>((resolve) => ends.push(() => resolve(completion))),
    cancel: async (id: string) => void cancelled.push(id),
  };
  const shared = createSharedJobs({ submitter, log: { warn: () => {} } });
  let number = 0;
  const ask = (signal?: AbortSignal, askedAt = performance.now()): Promise<string> => {
    number += 1;
    const job = { id: `qry_${number}`, deadlineAt: Date.now() + 60_000 } as SubmittedJob;
    return shared.board('the same', askedAt).submit(job, signal && { signal });
  };
  return { ask, ends, cancelled };
}

test('who looked into the cache just before the answer was kept there gets it all the same, without a job', async () => {
  const { ask, ends, cancelled } = sharedJobs(whole);
  const before = performance.now();
  await vi.advanceTimersByTimeAsync(300);
  const first = ask();
  ends[0]?.();
  expect(await first).toBe(whole);
  await vi.advanceTimersByTimeAsync(40);
  expect(await ask(undefined, before)).toBe(whole);
  expect(ends).toHaveLength(1);
  expect(cancelled).toEqual([]);

  void ask();
  expect(ends).toHaveLength(2);
});

test.each([
  '{"status":"failed","error":{"code":"generator_failed"}}',
  '{"status":"completed","degraded":["shortened"]}',
  'nothing that can be read',
])('%s is for those who waited, and for nobody after them', async (completion) => {
  const { ask, ends } = sharedJobs(completion);
  const two = [ask(), ask()];
  ends[0]?.();
  expect(await Promise.all(two)).toEqual([completion, completion]);
  void ask(undefined, 0);
  expect(ends).toHaveLength(2);
});

test('the job is cancelled when the last who waited has left, not when its answer has been given', async () => {
  const { ask, ends, cancelled } = sharedJobs(whole);
  const leave = new AbortController();
  const [one, two] = [ask(leave.signal), ask(leave.signal)];
  leave.abort(new Error('gone'));
  await expect(one).rejects.toThrow('gone');
  await expect(two).rejects.toThrow('gone');
  expect(cancelled).toEqual(['qry_1']);
  void ask();
  expect(ends).toHaveLength(2);
});
