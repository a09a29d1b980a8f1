import { silentLogger } from '@vortex/observability';
import type { JobProgress } from '@vortex/registry';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createProgressReporter, type ProgressReporter } from './report-progress.ts';

let noted: JobProgress[];
let written: PromiseWithResolvers<void>;
let reporter: ProgressReporter;

beforeEach(() => {
  vi.useFakeTimers();
  noted = [];
  written = Promise.withResolvers();
  reporter = createProgressReporter({
    registry: {
      noteProgress(_id, progress) {
        noted.push(progress);
        return written.promise;
      },
    },
    liveView: { progress: async () => true },
    jobId: 'job_1',
    touchMs: 5000,
    log: silentLogger,
  });
});
afterEach(async () => {
  written.resolve();
  await reporter.stop();
  vi.useRealTimers();
});

const at = (progress: number): JobProgress => ({ stage: 'embed', progress, message: '', etaMs: null });
const said = () => noted.map(({ progress }) => progress);

/** The write under way ends; the next one hangs again. */
async function endWrite(): Promise<void> {
  written.resolve();
  written = Promise.withResolvers();
  await vi.advanceTimersByTimeAsync(0);
}

it('waits for something newer and says only the newest', async () => {
  for (const progress of [1, 2, 3]) reporter.say(at(progress));
  expect(said()).toEqual([]);
  await vi.advanceTimersByTimeAsync(500);
  expect(said()).toEqual([3]);
});

it('waits as long for what is said during a write, however often that is', async () => {
  reporter.sayNow(at(1));
  reporter.say(at(2));
  await endWrite();
  reporter.say(at(3));
  expect(said()).toEqual([1]);
  await vi.advanceTimersByTimeAsync(500);
  expect(said()).toEqual([1, 3]);
});

it('says at once, or when the write under way has ended, what must not wait; a commit stays one', async () => {
  reporter.sayNow(at(1));
  reporter.sayNow({ ...at(2), committed: true });
  reporter.say(at(3));
  reporter.sayNow(at(4));
  expect(said()).toEqual([1]);
  await endWrite();
  expect(noted.at(-1)).toMatchObject({ progress: 4, committed: true });
});

it('says the last word again for as long as nothing newer comes, and nothing after its end', async () => {
  reporter.sayNow(at(1));
  await endWrite();
  await vi.advanceTimersByTimeAsync(5000);
  expect(noted).toEqual([
    { ...at(1), committed: false },
    { ...at(1), committed: false },
  ]);
  await endWrite();
  const stopped = reporter.stop();
  reporter.say(at(2));
  reporter.sayNow(at(3));
  await stopped;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(said()).toEqual([1, 1]);
});
