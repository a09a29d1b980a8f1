import { failedCompletion, StageFailure } from '@vortex/contracts';
import { until } from '@vortex/testkit';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { hits, openWorkbench, question, vector, type Workbench } from './stage-bench.ts';

/** Every way in which a job can end, one test each. Over 300 lines, as there are so many; they share nothing but the bench. */
let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench('endings');
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const list = 'job:retriever_in';
const hourMs = 3_600_000;
const retrieveJob = (id: string, more = {}) =>
  question(id, { list, envelope: { query: id, embedding: vector, ...more } });
const done = { slots: 4, handler: async () => ({ kind: 'done' as const, result: hits }) };
const push = (element: string | Buffer) => bench.redis.client.rpush('job:encoder_in', element);
const encode = {
  slots: 4,
  handler: async (input: { query: string }) => ({
    kind: 'forward' as const,
    to: 'retrieve' as const,
    payload: { query: input.query, embedding: vector },
  }),
};

test('malformed, invalid, unknown version, not UTF-8, 5 MB: dead letters with reason and raw bytes; the worker goes on', async () => {
  await bench.start({ encode, retrieve: done });
  const bytes = Buffer.from([0x7b, 0xff, 0xfe]);
  const large = JSON.stringify({ id: 'large', query: 'x'.repeat(5 * 1024 * 1024) });
  await push('{"id":"cut off');
  await push('[1,2]');
  await push('{"query":"no id"}');
  await push('{"id":"bad-1","query":""}');
  await push('{"id":"v9","v":9,"query":"from the future"}');
  await push(bytes);
  await push(large);
  await push('{"id":"good","query":"hello"}');

  expect(await bench.completion('good')).toMatchObject({ status: 'completed' });
  const letters = await until('seven letters', async () => {
    const all = await bench.letters('job:encoder_in');
    return all.length === 7 ? all : null;
  });
  const byCode = (code: string) => letters.filter((letter) => letter.code === code);
  expect(byCode('invalid_envelope')).toHaveLength(5);
  expect(byCode('unsupported_version')).toMatchObject([
    { id: 'v9', reason: 'version 9 is unknown; this worker reads 1' },
  ]);
  expect(byCode('envelope_too_large')).toMatchObject([
    { id: 'large', bytes: large.length, encoding: 'utf8' },
  ]);
  expect(String(byCode('envelope_too_large')[0]?.raw)).toHaveLength(64 * 1024);
  expect(letters).toContainEqual(
    expect.objectContaining({
      id: null,
      encoding: 'base64',
      raw: bytes.toString('base64'),
      queue: 'job:encoder_in',
      stage: 'encode',
    }),
  );
  expect(letters).toContainEqual(
    expect.objectContaining({ id: 'bad-1', reason: 'query: must not be empty' }),
  );
  for (const id of ['bad-1', 'v9', 'large']) {
    expect(failedCompletion.parse(await bench.completion(id))).toMatchObject({
      id,
      status: 'failed',
      error: { stage: 'encode' },
    });
  }
});

test('a raw document without an id gets one from its bytes, the same each time', async () => {
  const ids: string[] = [];
  await bench.start({
    ingest: {
      slots: 1,
      handler: async (input) => {
        ids.push(input.id);
        const { document_id: external_id } = input;
        return {
          kind: 'done',
          result: {
            document_id: 'doc_1',
            external_id,
            collection: 'default',
            chunk_count: 0,
            processing_time_ms: 0,
          },
        };
      },
    },
  });
  const body = '{"user_id":"u","document_id":"d","content":"text"}';
  await bench.redis.client.rpush('ingestion_queue', body, body);
  await until('both ran', () => ids.length === 2);
  expect(ids[0]).toMatch(/^job_[0-9a-f]{32}$/);
  expect(ids[1]).toBe(ids[0]);
});

test('a rejection is permanent: dead letter, failed completion with its code, no second run', async () => {
  let runs = 0;
  await bench.start({
    retrieve: {
      slots: 1,
      handler: async () => {
        runs += 1;
        return { kind: 'reject', code: 'collection_not_found', reason: 'no collection named x' };
      },
    },
  });
  const submitter = await bench.submitter();
  const completion = JSON.parse(await submitter.submit(retrieveJob('r1')));
  expect(failedCompletion.parse(completion)).toMatchObject({
    status: 'failed',
    attempt: 1,
    error: {
      code: 'collection_not_found',
      message: 'no collection named x',
      stage: 'retrieve',
      retryable: false,
    },
  });
  expect(await bench.letters(list)).toMatchObject([{ id: 'r1', code: 'collection_not_found', attempts: 1 }]);
  expect(runs).toBe(1);
});

test('a throw is tried again with the attempt counted, and succeeds', async () => {
  const attempts: number[] = [];
  await bench.start({
    retrieve: {
      slots: 1,
      handler: async (_input, { job }) => {
        attempts.push(job.attempt);
        if (job.attempt < 3) throw new Error('flaky');
        return { kind: 'done', result: hits };
      },
    },
  });
  const submitter = await bench.submitter();
  const completion = JSON.parse(await submitter.submit(retrieveJob('flaky')));
  expect(completion).toMatchObject({ status: 'completed', attempt: 3 });
  expect(attempts).toEqual([1, 2, 3]);
});

test('attempts run out: buried with the cause; a permanent failure is not tried again', async () => {
  let runs = 0;
  await bench.start({
    retrieve: {
      slots: 2,
      handler: async (input) => {
        runs += 1;
        if (input.query === 'permanent')
          throw new StageFailure('embedding_mismatch', 'made with another model');
        throw new Error('the store is on fire');
      },
    },
  });
  const submitter = await bench.submitter();
  const exhausted = JSON.parse(await submitter.submit(retrieveJob('burning')));
  expect(exhausted).toMatchObject({
    status: 'failed',
    attempt: 3,
    error: { code: 'attempts_exhausted', stage: 'retrieve' },
  });
  expect(exhausted.error.message).toContain('the store is on fire');
  expect(runs).toBe(3);
  // Tracked, and whoever put it on the list has not said how many tries its stage gives it.
  await submitter.submit({ ...retrieveJob('followed'), track: { type: 'query', tenant: 'default' } });
  expect(await bench.redis.client.hgetall('job:followed')).toMatchObject({
    ...{ status: 'failed', retry_count: '2', max_retries: '2' },
    error: expect.stringContaining('gave up after 3 of 3 tries'),
  });
  const permanent = JSON.parse(await submitter.submit(retrieveJob('permanent')));
  expect(permanent).toMatchObject({ attempt: 1, error: { code: 'embedding_mismatch' } });
  expect(await bench.letters(list)).toMatchObject([{ attempts: 3 }, { attempts: 3 }, { attempts: 1 }]);
});

test('later waits without using up an attempt, and never past the deadline', async () => {
  let runs = 0;
  await bench.start({
    retrieve: {
      slots: 1,
      handler: async (input, { job }) => {
        runs += 1;
        if (input.query === 'too-late') return { kind: 'later', afterMs: 3_600_000, reason: 'rate limit' };
        if (runs === 1) return { kind: 'later', afterMs: 10, reason: 'rate limit' };
        expect(job.attempt).toBe(1);
        return { kind: 'done', result: hits };
      },
    },
  });
  const submitter = await bench.submitter();
  expect(JSON.parse(await submitter.submit(retrieveJob('later')))).toMatchObject({
    status: 'completed',
    attempt: 1,
  });
  const late = JSON.parse(await submitter.submit(retrieveJob('too-late')));
  expect(late).toMatchObject({ status: 'deadline_exceeded', error: { code: 'deadline_exceeded' } });
});

test('a deadline that passed before the claim: completed, not run', async () => {
  let runs = 0;
  await bench.start({
    retrieve: {
      slots: 1,
      handler: async () => {
        runs += 1;
        return { kind: 'done', result: hits };
      },
    },
  });
  const submitter = await bench.submitter();
  const late = { ...retrieveJob('late'), deadlineAt: Date.now() - 10 };
  expect(JSON.parse(await submitter.submit(late))).toMatchObject({ status: 'deadline_exceeded' });
  expect(runs).toBe(0);
  expect(await bench.redis.client.llen(`${list}:dead`)).toBe(0);
});

test('a deadline nearer than half of the runs take: completed, not run, with the timings so far', async () => {
  // An hour per run, by the clock that runs are measured with.
  const clock = performance.now.bind(performance);
  let aheadMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => clock() + aheadMs);
  onTestFinished(() => void vi.restoreAllMocks());
  const ran: string[] = [];
  await bench.start({
    retrieve: {
      slots: 1,
      handler: async (input) => {
        ran.push(input.query);
        aheadMs += hourMs;
        return { kind: 'done', result: hits };
      },
    },
  });
  const submitter = await bench.submitter();
  for (let run = 0; run < 10; run += 1) await submitter.submit(retrieveJob(`usual-${run}`));
  const near = { ...retrieveJob('near', { timings_ms: { encode: 3 } }), deadlineAt: Date.now() + hourMs / 2 };
  const said = JSON.parse(await submitter.submit(near));
  expect(said).toMatchObject({ status: 'deadline_exceeded', timings_ms: { encode: 3 } });
  expect(said.error.message).toMatch(/ms were left .* half of its runs take longer than 36\d{5} ms/);
  const far = { ...retrieveJob('far'), deadlineAt: Date.now() + 2 * hourMs };
  expect(JSON.parse(await submitter.submit(far))).toMatchObject({ status: 'completed' });
  expect(ran).toHaveLength(11);
  expect(await bench.redis.client.llen(`${list}:dead`)).toBe(0);
});

test('a deadline that passes in a run: the signal fires, the caller is told, a deaf handler keeps its slot', async () => {
  let release = () => {};
  const signals: AbortSignal[] = [];
  await bench.start({
    retrieve: {
      slots: 1,
      handler: async (input, { signal }) => {
        signals.push(signal);
        if (input.query !== 'next')
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        return { kind: 'done', result: hits };
      },
    },
  });
  const submitter = await bench.submitter();
  // One that begins in time and does not end in time: on a machine that stalls, not the first.
  let deaf = '';
  for (let ms = 100; signals.length === 0; ms *= 2)
    deaf = await submitter.submit({ ...retrieveJob(`deaf-${ms}`), deadlineAt: Date.now() + ms });
  expect(JSON.parse(deaf)).toMatchObject({
    status: 'deadline_exceeded',
    timings_ms: { retrieve: expect.any(Number) },
  });
  expect(signals[0]?.aborted).toBe(true);
  const next = submitter.submit(retrieveJob('next'));
  await until('the next one waits in the list', async () => (await bench.redis.client.llen(list)) === 1);
  expect(signals).toHaveLength(1);
  release();
  expect(JSON.parse(await next)).toMatchObject({ status: 'completed' });
});

test('cancelled in a run: the signal fires at once and the completion says so; cancelled in a list: never run', async () => {
  const happened: string[] = [];
  await bench.start({
    retrieve: {
      slots: 1,
      handler: (input, { signal }) => {
        happened.push(`${input.query} begins`);
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            happened.push(`${input.query} hears`);
            reject(signal.reason);
          });
        });
      },
    },
  });
  const submitter = await bench.submitter();
  const running = submitter.submit(retrieveJob('running'));
  await until('it runs', () => happened.length === 1);
  const waiting = submitter.submit(retrieveJob('waiting'));
  await until('it waits', async () => (await bench.redis.client.llen(list)) === 1);
  await submitter.cancel('waiting');
  happened.push('cancelled');
  await submitter.cancel('running');
  expect(JSON.parse(await running)).toMatchObject({ status: 'cancelled', error: { code: 'cancelled' } });
  expect(JSON.parse(await waiting)).toMatchObject({ status: 'cancelled' });
  expect(happened).toEqual(['running begins', 'cancelled', 'running hears']);
  expect(await bench.redis.client.ttl('job:cancelled')).toBeGreaterThan(0);
});

test('a tracked job tells its life in its hash', async () => {
  let proceed = () => {};
  await bench.start({
    retrieve: {
      slots: 1,
      handler: async () => {
        await new Promise<void>((resolve) => {
          proceed = resolve;
        });
        return { kind: 'done', result: hits };
      },
    },
  });
  const submitter = await bench.submitter();
  await submitter.enqueue({ ...retrieveJob('t1'), track: { type: 'query', tenant: 'default' } });
  const status = () => bench.redis.client.hget('job:t1', 'status');
  await until('processing', async () => (await status()) === 'processing');
  proceed();
  await until('completed', async () => (await status()) === 'completed');
  const fields = await bench.redis.client.hgetall('job:t1');
  expect(fields).toMatchObject({
    id: 't1',
    type: 'query',
    progress: '100',
    started_at: expect.any(String),
    completed_at: expect.any(String),
  });
  expect(JSON.parse(fields.result ?? '')).toMatchObject({ id: 't1', status: 'completed', hits: [] });
  expect(await bench.redis.client.ttl('job:t1')).toBeGreaterThan(3500);
});

test('redis is wiped under 100 running queries: every one still gets its answer, once', async () => {
  let runs = 0;
  let wiped = false;
  const gate: (() => void)[] = [];
  await bench.start(
    {
      encode,
      retrieve: {
        slots: 50,
        handler: async () => {
          runs += 1;
          if (!wiped) await new Promise<void>((resolve) => gate.push(resolve));
          return { kind: 'done', result: hits };
        },
      },
    },
    { beatMs: 100, leaseMs: 60_000 },
  );
  const submitter = await bench.submitter();
  const ids = Array.from({ length: 100 }, (_, place) => `w${place}`);
  const answers = Promise.all(ids.map((id) => submitter.submit(question(id))));
  await until('half of them run, half wait', () => gate.length === 50);
  wiped = true;
  await bench.redis.client.flushdb();
  for (const open of gate) open();
  expect((await answers).map((text) => JSON.parse(text)).map(({ id, status }) => [id, status])).toEqual(
    ids.map((id) => [id, 'completed']),
  );
  expect(runs).toBe(50 + 100);
  expect(await bench.redis.client.zcard('job:live')).toBe(0);
});
