import { silentLogger } from '@vortex/observability';
import { expect, test } from 'vitest';
import { cancelInBackground } from './cancel-in-background.ts';

function redisAwayFor(tries: number) {
  const asked: string[] = [];
  const pauses: number[] = [];
  return {
    asked,
    pauses,
    submitter: {
      cancel: async (id: string) => {
        asked.push(id);
        if (asked.length <= tries) throw new Error('redis is away');
      },
    },
    pause: async (ms: number) => void pauses.push(ms),
  };
}

test('is tried again until it has arrived', async () => {
  const { submitter, asked, pauses, pause } = redisAwayFor(5);
  await cancelInBackground(submitter, { id: 'qry_1', deadlineAt: Date.now() + 60_000 }, silentLogger, pause);
  expect(asked).toEqual(Array(6).fill('qry_1'));
  expect(pauses).toEqual([250, 500, 1000, 2000, 2000]);
});

test('is given up when the deadline will have ended the job', async () => {
  const { submitter, asked, pause } = redisAwayFor(Number.POSITIVE_INFINITY);
  await cancelInBackground(submitter, { id: 'qry_1', deadlineAt: Date.now() - 1 }, silentLogger, pause);
  expect(asked).toEqual(['qry_1']);
});
