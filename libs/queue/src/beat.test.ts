import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Beat, type BeatThreadData, startBeat } from './beat.ts';

/** A thread that ends when the test says so. */
class ScriptedThread extends EventEmitter {
  readonly orders: unknown[] = [];
  readonly state: unknown;
  constructor(_file: URL, { workerData }: { workerData: BeatThreadData }) {
    super();
    // A thread gets a copy, made when it starts.
    this.state = workerData.state;
    this.once('exit', () => {
      this.#ended = true;
    });
    threads.push(this);
  }
  postMessage(order: unknown): void {
    this.orders.push(order);
  }
  /** As a real one: it says once that it has ended. */
  async terminate(): Promise<void> {
    if (!this.#ended) this.emit('exit');
  }
  #ended = false;
}
const threads: ScriptedThread[] = [];
vi.mock('node:worker_threads', () => ({
  get Worker() {
    return ScriptedThread;
  },
}));

let beat: Beat;
beforeEach(() => {
  vi.useFakeTimers();
  threads.length = 0;
  beat = startBeat({ redis: { url: 'redis://127.0.0.1:1' }, members: [] });
});
afterEach(() => vi.useRealTimers());

test('a thread that has ended is not waited for by a stop that comes before its restart', async () => {
  threads[0]?.emit('exit');
  const stopped = beat.stop().then(() => 'stopped');
  await vi.advanceTimersByTimeAsync(5000);
  expect(await Promise.race([stopped, 'waits'])).toBe('stopped');
  expect(threads).toHaveLength(1);
});

test('a thread that does not hear the order is ended', async () => {
  const stopped = beat.stop().then(() => 'stopped');
  await vi.advanceTimersByTimeAsync(400);
  expect(await Promise.race([stopped, 'waits'])).toBe('waits');
  await vi.advanceTimersByTimeAsync(200);
  expect(await Promise.race([stopped, 'waits'])).toBe('stopped');
});

test('a thread that is started again during a drain announces it, and not `up`', async () => {
  beat.announceDraining();
  expect(threads[0]?.orders).toEqual([{ kind: 'draining' }]);
  threads[0]?.emit('exit');
  await vi.advanceTimersByTimeAsync(600);
  expect(threads.map(({ state }) => state)).toEqual(['up', 'draining']);
});
