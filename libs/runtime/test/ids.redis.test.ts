import { maxDeliveries, StageFailure, stages } from '@vortex/contracts';
import { keys } from '@vortex/queue';
import { until } from '@vortex/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JobSource, LaneOf, ResolvedJob, StageHandler } from '../src/index.ts';
import { openWorkbench, question, type Workbench } from './stage-bench.ts';

/** A stage whose list holds bare job ids: who they are, and what became of them, is asked and told elsewhere. */
let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench('ids');
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const list = stages.upload.list;
const result = {
  document_id: 'doc_1',
  external_id: 'x',
  collection: 'default',
  chunk_count: 1,
  processing_time_ms: 1,
};
const done: StageHandler<'upload'> = async () => ({ kind: 'done', result });

let told: string[] = [];
let jobs: Map<string, ResolvedJob>;
beforeEach(() => {
  told = [];
  jobs = new Map();
});

/** A registry of a few lines: counts tries and deliveries as the real one does. */
function source(more: Partial<JobSource> = {}): JobSource {
  return {
    async resolve(id) {
      const job = jobs.get(id);
      if (job === undefined || 'over' in job) return job ?? null;
      jobs.set(id, { ...job, redelivered: job.redelivered + 1 });
      return job;
    },
    async onRetry(id, { code, message }) {
      told.push(`retry ${id} ${code} ${message}`);
      const job = jobs.get(id);
      if (job !== undefined && !('over' in job)) {
        jobs.set(id, { ...job, attempt: job.attempt + 1, redelivered: 0 });
      }
    },
    async onRelease(id) {
      told.push(`release ${id}`);
      const job = jobs.get(id);
      if (job !== undefined && !('over' in job)) jobs.set(id, { ...job, redelivered: job.redelivered - 1 });
    },
    async onEnd(id, { code }) {
      told.push(`end ${id} ${code}`);
    },
    ...more,
  };
}
const lane = (handler: StageHandler<'upload'>, more: Partial<JobSource> = {}): LaneOf<'upload'> => ({
  handler,
  slots: 2,
  ...source(more),
});
const fresh = (redelivered = 0): ResolvedJob => ({ tenant: 'acme', attempt: 1, redelivered });
const tracked = (id: string) =>
  question(id, {
    list,
    lane: 'low',
    envelope: 'bare',
    track: { type: 'document_upload', tenant: 'default', payload: { filename: 'a.pdf' }, maxRetries: 4 },
  });
const status = (id: string) => bench.redis.client.hget(keys.job(id), 'status');
const everywhere = async () => ({
  waiting: await bench.redis.client.llen(list),
  live: await bench.redis.client.zcard(keys.live('low')),
  active: await bench.redis.client.scard(keys.active),
  dead: await bench.redis.client.llen(keys.dead(list)),
});
const nothing = { waiting: 0, live: 0, active: 0, dead: 0 };

test('the element is the id; the live view has the fields from admission to the end', async () => {
  const submitter = await bench.submitter();
  await submitter.enqueue(tracked('job_a'));
  expect(await bench.redis.client.lrange(list, 0, -1)).toEqual(['job_a']);
  expect(await bench.redis.client.hgetall(keys.job('job_a'))).toEqual({
    id: 'job_a',
    type: 'document_upload',
    tenant: 'default',
    status: 'queued',
    progress: '0',
    payload: '{"filename":"a.pdf"}',
    retry_count: '0',
    max_retries: '4',
    created_at: expect.any(String),
    updated_at: expect.any(String),
  });
  expect(await submitter.areLive('low', ['job_a', 'job_b'])).toEqual([true, false]);
  jobs.set('job_a', { ...fresh(), traceparent: '00-x' } as ResolvedJob);
  const headers: unknown[] = [];
  await bench.start({
    upload: lane(async (input, { job }) => {
      headers.push(input, job.deadline_at > Date.now() + 23 * 3_600_000);
      return { kind: 'done', result };
    }),
  });
  await until('completed', async () => (await status('job_a')) === 'completed');
  expect(headers).toMatchObject([
    { id: 'job_a', tenant: 'acme', attempt: 1, redelivered: 0, traceparent: '00-x', track: true },
    true,
  ]);
  expect(await bench.redis.client.hgetall(keys.job('job_a'))).toMatchObject({
    progress: '100',
    started_at: expect.any(String),
    completed_at: expect.any(String),
  });
  expect(await bench.redis.client.lrange(keys.recent, 0, -1)).toEqual(['job_a']);
  expect(await everywhere()).toEqual(nothing);
  expect(told).toEqual([]);
});

test('a forward to it carries the id alone, and a body pushed by hand is live and visible on the way', async () => {
  await bench.start({
    ingest: {
      slots: 1,
      handler: async (input) => {
        jobs.set(input.id, fresh());
        return { kind: 'forward', to: 'upload', payload: {} };
      },
    },
  });
  await bench.redis.client.rpush(stages.ingest.list, '{"document_id":"d","content":"text"}');
  const [id = ''] = await until('forwarded', async () => {
    const ids = await bench.redis.client.lrange(list, 0, -1);
    return ids.length === 1 ? ids : null;
  });
  expect(id).toMatch(/^job_[0-9a-f]{32}$/);
  expect(await bench.redis.client.zscore(keys.live('low'), id)).not.toBeNull();
  expect(await bench.redis.client.smembers(keys.active)).toEqual([id]);
  await bench.start({ upload: lane(done) });
  await until('completed', async () => (await status(id)) === 'completed');
  expect(await everywhere()).toEqual(nothing);
});

test('a throw is told, then tried again as the same id; the second try succeeds', async () => {
  jobs.set('job_flaky', fresh());
  const attempts: number[] = [];
  await bench.start({
    upload: lane(async (_input, { job }) => {
      attempts.push(job.attempt);
      if (job.attempt === 1) throw new StageFailure('generator_failed', 'flaky', { mayRetry: true });
      expect(await bench.redis.client.hgetall(keys.job('job_flaky'))).toMatchObject({
        retry_count: '1',
        error: 'flaky',
        error_code: 'generator_failed',
      });
      return { kind: 'done', result };
    }),
  });
  const submitter = await bench.submitter();
  await submitter.enqueue(tracked('job_flaky'));
  await until('completed', async () => (await status('job_flaky')) === 'completed');
  expect(attempts).toEqual([1, 2]);
  expect(told).toEqual(['retry job_flaky generator_failed flaky']);
  expect(await bench.redis.client.hexists(keys.job('job_flaky'), 'error')).toBe(0);
});

test('nobody knows the id, or the element is none: dead letters; the worker goes on', async () => {
  jobs.set('job_known', fresh());
  await bench.start({ upload: lane(done) });
  await bench.redis.client.rpush(list, 'job_nobody', '{"id":"job_known"}', 'two words', 'job_known');
  expect(await bench.completion('job_known')).toMatchObject({ status: 'completed', document_id: 'doc_1' });
  const letters = await until('three letters', async () => {
    const all = await bench.letters(list);
    return all.length === 3 ? all : null;
  });
  const ofRaw = new Map(letters.map(({ id, raw, code }) => [raw, [id, code]]));
  expect(Object.fromEntries(ofRaw)).toEqual({
    job_nobody: ['job_nobody', 'invalid_envelope'],
    'two words': [null, 'invalid_envelope'],
    '{"id":"job_known"}': [null, 'invalid_envelope'],
  });
});

test('a job that ended while its id waited leaves quietly: no run, no completion, no dead letter', async () => {
  jobs.set('job_over', { over: true });
  jobs.set('job_was_completed', { over: true, ended: 'completed' });
  let runs = 0;
  const submitter = await bench.submitter();
  await submitter.enqueue(tracked('job_over'));
  await submitter.enqueue(tracked('job_was_completed'));
  await bench.start({
    upload: lane(async () => {
      runs += 1;
      return { kind: 'done', result };
    }),
  });
  await until('both are out', async () => (await bench.redis.client.zcard(keys.live('low'))) === 0);
  expect(await status('job_over')).toBe('cancelled');
  expect(await status('job_was_completed')).toBe('completed');
  expect(await bench.redis.client.exists(keys.completion('job_over'))).toBe(0);
  expect([runs, told, await everywhere()]).toEqual([0, [], nothing]);
});

test('who knows the jobs is away: the id is put off, not lost and not blamed', async () => {
  jobs.set('job_early', fresh());
  await bench.start({
    upload: lane(done, {
      resolve: async () => {
        throw new Error('database is locked');
      },
    }),
  });
  const submitter = await bench.submitter();
  await submitter.enqueue(tracked('job_early'));
  await until('put off', async () => (await bench.redis.client.zcard(keys.retry(list))) === 1);
  expect(await bench.redis.client.zrange(keys.retry(list), 0, '-1')).toEqual(['job_early']);
  expect(await status('job_early')).toBe('queued');
  expect(told).toEqual([]);
});

test('poison by the count of who knows the job; an end that cannot be told is put off', async () => {
  jobs.set('job_poison', fresh(maxDeliveries));
  jobs.set('job_untold', fresh());
  let away = true;
  const registry = source();
  await bench.start({
    upload: lane(
      async () => {
        throw new StageFailure('corrupt_file', 'no zip');
      },
      {
        async onEnd(id, error) {
          if (away && id === 'job_untold') throw new Error('database is locked');
          await registry.onEnd(id, error);
        },
      },
    ),
  });
  const submitter = await bench.submitter();
  await submitter.enqueue(tracked('job_poison'));
  await submitter.enqueue(tracked('job_untold'));
  expect(await bench.completion('job_poison')).toMatchObject({ error: { code: 'poison' } });
  await until('put off', async () => (await bench.redis.client.zcard(keys.retry(list))) === 1);
  away = false;
  await bench.redis.client.zadd(keys.retry(list), 1, 'job_untold');
  expect(await bench.completion('job_untold')).toMatchObject({ error: { code: 'corrupt_file' } });
  expect(told).toEqual(['end job_poison poison', 'end job_untold corrupt_file']);
  expect((await bench.letters(list)).map(({ raw }) => raw)).toEqual(['job_poison', 'job_untold']);
  expect(await everywhere()).toEqual({ ...nothing, dead: 2 });
});

test('later, a cancellation and a drain: told as a release, an end, a release; the id stays what it is', async () => {
  for (const id of ['job_later', 'job_cancelled', 'job_drained']) jobs.set(id, fresh());
  const started: string[] = [];
  const worker = await bench.start({
    upload: lane((input, { signal }) => {
      started.push(input.id);
      if (input.id === 'job_later')
        return Promise.resolve({ kind: 'later', afterMs: 60_000, reason: 'busy' });
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    }),
  });
  const submitter = await bench.submitter();
  await submitter.enqueue(tracked('job_later'));
  await until('put off', async () => (await bench.redis.client.zcard(keys.retry(list))) === 1);
  await submitter.enqueue(tracked('job_cancelled'));
  await submitter.enqueue(tracked('job_drained'));
  await until('all began', () => started.length === 3);
  await submitter.cancel('job_cancelled');
  expect(await bench.completion('job_cancelled')).toMatchObject({ status: 'cancelled' });
  await worker.stop();
  expect(await bench.redis.client.lrange(list, 0, -1)).toEqual(['job_drained']);
  expect(await bench.redis.client.zrange(keys.retry(list), 0, '-1')).toEqual(['job_later']);
  expect(told).toEqual(['release job_later', 'end job_cancelled cancelled', 'release job_drained']);
});
