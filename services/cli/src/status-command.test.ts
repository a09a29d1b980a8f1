import { expect, test } from 'vitest';
import type { Status } from './status.ts';
import { describe as shown } from './status-command.ts';

const status: Status = {
  ...{ ready: true, gateway_url: 'http://127.0.0.1:8080', redis_url: 'redis://127.0.0.1:6379' },
  ...{ redis_memory: null, cache_url: null, llm: 'mock', data: null, phase: 'up', supervisor: null },
  ...{ services: [], queues: [], replicas: [], open_jobs: 0 },
};
const queue = (name: string, dead: number | null) => ({
  ...{ name, waiting: 1, in_flight: 2, retry: dead, dead, oldest_age_ms: null },
});

test('a dead list that several queues share is shown once', () => {
  const text = shown({ ...status, queues: [queue('job:llm_in', 12), queue('job:llm_in:low', null)] });
  expect(text).toMatch(/^job:llm_in\s+1\s+2\s+12\s+12\s+–/m);
  expect(text).toMatch(/^job:llm_in:low\s+1\s+2\s+–$/m);
  const unknown = { waiting: null, in_flight: null, retry: null, dead: null, oldest_age_ms: null };
  const away = shown({ ...status, queues: [{ name: 'job:llm_in', ...unknown }] });
  expect(away).toMatch(/^job:llm_in(\s+–){5}$/m);
});

test('says that Redis is full and what that means, and nothing of one that is not', () => {
  const memory = { used_bytes: 512_000_000, max_bytes: 500_000_000, full: true };
  expect(shown({ ...status, redis_memory: memory })).toMatch(
    /^Redis is full \(512 of 500 MB\): new work is refused/m,
  );
  expect(shown({ ...status, redis_memory: { ...memory, full: false } })).not.toMatch(/full/);
  expect(shown(status)).not.toMatch(/full/);
});
