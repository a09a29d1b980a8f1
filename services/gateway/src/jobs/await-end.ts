import type { JobWatch, WatchedJob } from './job-watch.ts';

/** Resolves when the job has ended, the time is over, or nobody waits any more; what it was is to be read then. */
export function awaitEnd(
  watch: JobWatch,
  job: WatchedJob,
  { withinMs, signal }: { withinMs: number; signal: AbortSignal },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  const leave = watch.follow(job, 'now', {
    onEvent: (_event, last) => {
      if (last) resolve();
    },
    onGone: resolve,
  });
  const timer = setTimeout(resolve, withinMs);
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise.finally(() => {
    leave();
    clearTimeout(timer);
  });
}
