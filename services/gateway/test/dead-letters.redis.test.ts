import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readServiceConfig } from '@vortex/config';
import {
  type DeadLetterSummary,
  deadLetterPage,
  deadLettersRedriven,
  encodeVector,
  jobResponse,
  redriven,
  StageFailure,
  stages,
  uploadAccepted,
} from '@vortex/contracts';
import { createMetrics, silentLogger } from '@vortex/observability';
import { keys } from '@vortex/queue';
import { openSqliteRegistry, type Registry } from '@vortex/registry';
import { type JobSource, runStages, type StageHandler } from '@vortex/runtime';
import { startPrivateRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startGateway } from '../src/start-gateway.ts';

/** Dead letters over HTTP on the real gateway and a Redis of the test's own, which it may kill. */
async function underTest(env: Record<string, string> = {}) {
  const redis = await startPrivateRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  onTestFinished(() => redis.stop());
  const client = new Redis(redis.url, { retryStrategy: () => 50 });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  const dir = await mkdtemp(join(tmpdir(), 'vortex-gateway-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const settings = { REDIS_URL: redis.url, PORT: '0', VORTEX__DATA__DIR: dir, ...env };
  const config = readServiceConfig('gateway', { env: settings });
  // A stalled machine is no Redis that hangs.
  const patient = { ...config, redis: { ...config.redis, answerMs: 30_000 } };
  const gateway = await startGateway(patient, silentLogger);
  onTestFinished(() => gateway.stop());
  const registry = openSqliteRegistry({ file: join(dir, 'registry.db') });
  onTestFinished(() => registry.close());
  await until('the gateway is ready', async () => (await fetch(`${gateway.url}/readyz`)).ok);

  const call = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${gateway.url}${path}`, {
      method,
      ...(body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json().catch(() => null) };
  };
  const letters = async (count: number, query = ''): Promise<DeadLetterSummary[]> =>
    until(`${count} dead letters`, async () => {
      const { dead_letters } = deadLetterPage.parse((await call('GET', `/api/dead-letters${query}`)).body);
      return dead_letters.length === count ? dead_letters : null;
    });
  const job = async (id: string) => jobResponse.parse((await call('GET', `/api/jobs/${id}`)).body);
  const work = async (lanes: Parameters<typeof runStages>[0]['lanes']) => {
    const common = { service: 'test', workerName: 'test', redis, log: silentLogger, drainBudgetMs: 100 };
    const running = await runStages({ ...common, metrics: createMetrics('test'), lanes });
    onTestFinished(() => running.stop());
    await running.onceReady();
    return running;
  };
  return { redis, client, gateway, registry, call, letters, job, work };
}

/** Fails for good until it is mended. */
function mendableEncoder() {
  const state = { broken: true };
  const handler: StageHandler<'encode'> = async ({ query, want }) => {
    if (state.broken) throw new StageFailure('internal', `no model for ${query}`, { mayRetry: false });
    return {
      kind: 'forward',
      to: 'retrieve',
      payload: { query, want, embedding: encodeVector(new Float32Array([1, 0])) },
    };
  };
  const retrieve: StageHandler<'retrieve'> = async () => ({
    kind: 'done',
    result: { hits: [], collection: 'default', mode: 'dense', degraded: [] },
  });
  return { state, lanes: { encode: { handler, slots: 4 }, retrieve: { handler: retrieve, slots: 4 } } };
}

describe('on a real Redis', () => {
  it('a failed question is taken back once its cause is mended, and who follows it sees only the new end', async () => {
    const { call, letters, job, work, client, gateway } = await underTest();
    const { state, lanes } = mendableEncoder();
    await work(lanes);
    const asked = await call('POST', '/query', { query: 'why?', async: true });
    const { job_id } = asked.body as { job_id: string };
    const [letter] = await letters(1);
    expect(letter).toMatchObject({
      ...{ queue: 'job:encoder_in', stage: 'encode', job_id, code: 'internal', reason: 'no model for why?' },
      attempts: 1,
    });
    expect(letter?.first_at).not.toBeNull();
    const scraped = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(scraped).toMatch(/^rag_dead_letters\{[^}]*queue="job:encoder_in"[^}]*\} 1$/m);
    expect(await job(job_id)).toMatchObject({ status: 'failed', error_code: 'internal' });

    state.broken = false;
    const { status, body } = await call('POST', `/api/dead-letters/${letter?.id}/redrive`);
    expect([status, redriven.parse(body).deadline_renewed]).toEqual([200, false]);
    // Never the failure again: the answer waits for the job's new end.
    const ended = jobResponse.parse((await call('GET', `/api/jobs/${job_id}?wait=20s`)).body);
    expect(ended).toMatchObject({
      id: job_id,
      status: 'completed',
      error: null,
      error_code: null,
      type: 'query',
    });
    await letters(0);
    expect(await client.exists(keys.dead(stages.encode.list), keys.deadSize(stages.encode.list))).toBe(0);
  });

  it('forged envelopes appear with their cause; what a hand pushed without a deadline completes', async () => {
    const { call, letters, work, client } = await underTest();
    const { state, lanes } = mendableEncoder();
    await work(lanes);
    await client.rpush(
      stages.encode.list,
      '{"id":"cut',
      Buffer.from([0xff]),
      '{"id":"v9","v":9,"query":"q"}',
    );
    await client.rpush(stages.encode.list, JSON.stringify({ id: 'by/hand?#%', query: 'q', want: 'hits' }));
    await client.lpush(keys.dead(stages.encode.list), 'forged letter');
    const found = await letters(5);
    expect(found.map(({ code }) => code).sort()).toEqual([
      ...['internal', 'invalid_envelope', 'invalid_envelope', 'invalid_letter', 'unsupported_version'],
    ]);
    state.broken = false;
    const report = deadLettersRedriven.parse((await call('POST', '/api/dead-letters/redrive', {})).body);
    expect(report).toMatchObject({ matched: 5, redriven: 1, refused: 4, remaining: 0 });
    const [one] = report.results.filter(({ outcome }) => outcome === 'redriven');
    expect(one).toMatchObject({ job_id: 'by/hand?#%', deadline_renewed: false });
    const url = `/api/jobs/${encodeURIComponent('by/hand?#%')}?wait=20s`;
    expect((await call('GET', url)).body).toMatchObject({ status: 'completed' });
    await letters(4);
    const dropped = await call('DELETE', '/api/dead-letters?queue=job:encoder_in');
    expect(dropped.body).toEqual({ dropped: 4 });
  });

  it('of many who redrive one letter at once exactly one is told that it did', async () => {
    const { call, letters, work, client } = await underTest();
    const running = await work(mendableEncoder().lanes);
    await client.rpush(stages.encode.list, JSON.stringify({ id: 'once', query: 'q' }));
    const [letter] = await letters(1);
    await running.stop();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call('POST', `/api/dead-letters/${letter?.id}/redrive`)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 404 || status === 409)).toHaveLength(9);
    expect(await client.llen(stages.encode.list)).toBe(1);
  });

  it('a full queue and a Redis that is gone are 503, and the letter stays', async () => {
    const { call, letters, work, client, redis } = await underTest({
      VORTEX__GATEWAY__MAX_LIVE_QUERIES: '1',
    });
    const running = await work(mendableEncoder().lanes);
    await client.rpush(stages.encode.list, JSON.stringify({ id: 'a', query: 'q' }));
    const [letter] = await letters(1);
    await running.stop();
    const redrive = () => call('POST', `/api/dead-letters/${letter?.id}/redrive`);

    await client.zadd(keys.live('interactive'), Date.now() + 60_000, 'other');
    expect(await redrive()).toMatchObject({ status: 503, body: { code: 'queue_full' } });
    expect((await call('POST', '/api/dead-letters/redrive', {})).body).toMatchObject({
      ...{ redriven: 0, remaining: 1, stopped_by: 'queue_full' },
    });
    await client.zrem(keys.live('interactive'), 'other');

    await redis.kill();
    expect(await redrive()).toMatchObject({ status: 503, body: { code: 'queue_unavailable' } });
    expect((await call('DELETE', '/api/dead-letters?queue=job:encoder_in')).status).toBe(503);
    await redis.start();
    const done = await until('Redis is back', async () => {
      const answer = await redrive();
      return answer.status === 503 ? null : answer;
    });
    expect(done.status).toBe(200);
    expect(await client.llen(stages.encode.list)).toBe(1);
  });
});

/** As ingest's: the registry knows the jobs of the list of ids. */
function jobsOf(registry: Registry): JobSource {
  return {
    async resolve(id) {
      const claim = await registry.claimJob(id);
      if (claim.outcome === 'unknown') return null;
      if (claim.outcome === 'over') return { over: true };
      return {
        tenant: claim.job.tenant,
        attempt: claim.job.retryCount + 1,
        redelivered: claim.job.deliveries - 1,
      };
    },
    onRetry: (id, error) => registry.retryJob(id, error),
    onRelease: (id) => registry.releaseJob(id),
    onEnd: (id, error) => registry.endJob(id, 'failed', error),
  };
}

describe('a document’s dead letter', () => {
  const failing: StageHandler<'upload'> = async () => ({
    ...{ kind: 'reject', code: 'corrupt_file', reason: 'half a file' },
  });

  async function withDeadUpload() {
    const bench = await underTest();
    const running = await bench.work({
      upload: { handler: failing, slots: 2, ...jobsOf(bench.registry) },
    });
    const sent = await bench.call('POST', '/api/documents', { text: 'words', external_id: 'one' });
    const { job_id } = uploadAccepted.parse(sent.body);
    const id = job_id ?? '';
    const [letter] = await bench.letters(1, '?queue=queue:document_upload');
    expect(letter).toMatchObject({ job_id: id, code: 'corrupt_file', bytes: id.length });
    await running.stop();
    const redrive = () => bench.call('POST', `/api/dead-letters/${letter?.id}/redrive`);
    return { ...bench, id, letter, redrive };
  }

  it('opens its job again in the registry, and the live view agrees', async () => {
    const { id, redrive, registry, client, letters, job } = await withDeadUpload();
    expect(await job(id)).toMatchObject({ status: 'failed', error_code: 'corrupt_file' });
    const answers = await Promise.all([redrive(), redrive(), redrive()]);
    expect(answers.map(({ status }) => status).sort()[0]).toBe(200);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await registry.getJob('default', id)).toMatchObject({ status: 'queued', error: null, version: 2 });
    const view = await client.hgetall(keys.job(id));
    expect(view).toMatchObject({ status: 'queued', progress: '0', type: 'document_upload' });
    expect(view.error).toBeUndefined();
    expect(await client.lrange(stages.upload.list, 0, -1)).toEqual([id]);
    expect(await client.smembers(keys.active)).toEqual([id]);
    await letters(0);
  });

  it('is refused when its job runs again already, and when nobody knows it', async () => {
    const { id, redrive, call, client, letters } = await withDeadUpload();
    expect((await call('POST', `/api/jobs/${id}/retry`)).status).toBe(202);
    expect(await redrive()).toMatchObject({ status: 409, body: { code: 'dead_letter_not_redrivable' } });
    expect(await client.llen(stages.upload.list)).toBe(1);
    await client.lpush(
      keys.dead(stages.upload.list),
      JSON.stringify({
        ...{ id: 'job_x', queue: 'queue:document_upload', stage: 'upload', code: 'poison', reason: '' },
        ...{ attempts: 1, first_at: 1, last_at: 1, bytes: 5, encoding: 'utf8', raw: 'job_x' },
      }),
    );
    const [, unknown] = await letters(2);
    const refusal = await call('POST', `/api/dead-letters/${unknown?.id}/redrive`);
    expect(refusal.body).toMatchObject({ status: 409, detail: expect.stringMatching(/Nobody knows/) });
  });
});
