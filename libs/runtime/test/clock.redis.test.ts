import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { hits, openWorkbench, question, vector, type Workbench } from './stage-bench.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench('clock');
});
afterEach(async () => {
  vi.useRealTimers();
  await bench.clear();
});
afterAll(() => bench.close());

const lanes = {
  encode: {
    slots: 2,
    handler: async ({ query }: { query: string }) => ({
      kind: 'forward' as const,
      to: 'retrieve' as const,
      payload: { query, embedding: vector },
    }),
  },
  retrieve: { slots: 2, handler: async () => ({ kind: 'done' as const, result: hits }) },
};

const hourMs = 3_600_000;

test.each([hourMs, -hourMs])(
  'a wall clock that is %i ms off expires nothing and keeps nothing alive',
  async (shiftMs) => {
    const submitter = await bench.submitter();
    await bench.start(lanes);
    const inTime = question('in-time');
    const late = question('late', { deadlineAt: Date.now() - 500 });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + shiftMs });
    expect(JSON.parse(await submitter.submit(inTime))).toMatchObject({ status: 'completed' });
    expect(JSON.parse(await submitter.submit(late))).toMatchObject({ error: { code: 'deadline_exceeded' } });
  },
);
