import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readServiceConfig } from '@vortex/config';
import {
  encodeVector,
  ingestResponse,
  jobAccepted,
  jobResponse,
  problem,
  queryResponse,
  type Source,
  searchResponse,
} from '@vortex/contracts';
import { createMetrics, silentLogger } from '@vortex/observability';
import { type RunningStages, type RunStagesOptions, runStages, type StageHandler } from '@vortex/runtime';
import { openTestRedis, type PrivateRedis, startPrivateRedis, type TestRedis, until } from '@vortex/testkit';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type RunningGateway, startGateway } from '../src/start-gateway.ts';
import { eventsIn } from './gateway-under-test.ts';

/**
 * The real gateway on a real Redis, with the three stages reduced to what the gateway can see of them. One piece,
 * because they are started once for all tests.
 */
const source: Source = {
  chunk_id: 'chk_1',
  document_id: 'doc_1',
  title: 'Flow',
  heading_path: [],
  page: null,
  source_span: [0, 5],
  excerpt: 'words',
  score: 0.9,
  rank: 1,
  used_in_prompt: true,
};

const encode: StageHandler<'encode'> = async ({ query, want, stream }) => ({
  kind: 'forward',
  to: 'retrieve',
  payload: { query, want, stream, embedding: encodeVector(new Float32Array([1, 0])) },
});

const retrieve: StageHandler<'retrieve'> = async (input) => {
  if (input.want === 'hits') {
    const { rank: _rank, used_in_prompt: _used, excerpt, ...place } = source;
    const scores = { dense: { score: place.score, rank: 1 }, sparse: null, fused: null };
    const hit = { ...place, text: excerpt, version: 1, scores, context: '', metadata: {} };
    return {
      kind: 'done',
      result: { hits: [hit], collection: 'default', mode: 'dense', degraded: [] },
    };
  }
  const { query, stream } = input;
  const messages = [{ role: 'user' as const, content: query }];
  return {
    kind: 'forward',
    to: 'generate',
    payload: { query, stream, collection: 'default', messages, sources: [source] },
  };
};

/** Resolved by the test that asks `hold`. */
let release = Promise.withResolvers<void>();

/** Answers `You said <query>.`; `wait` keeps its slot until it is cancelled, `hold` until it is released. */
const generateAs =
  (worker: string, url: string): StageHandler<'generate'> =>
  async ({ query, stream, sources }, context) => {
    const answer = `You said ${query}.`;
    if (stream) {
      context.emit({ kind: 'sources', sources });
      context.emit({ kind: 'delta', text: answer });
    }
    if (query === 'wait') {
      await new Promise((_resolve, reject) => {
        context.signal.addEventListener('abort', () => reject(context.signal.reason));
      });
    }
    if (query === 'hold') await release.promise;
    context.timing('first_token', 1);
    return {
      kind: 'done',
      result: {
        answered: true,
        answer,
        refusal: null,
        citations: [],
        sources,
        worker,
        replica: url,
        model: 'echo',
        collection: 'default',
        degraded: [],
        usage: { prompt_tokens: 1, completion_tokens: 2 },
      },
    };
  };

async function startStages(
  redisUrl: string,
  service: string,
  lanes: RunStagesOptions['lanes'],
  replica?: { url: string; slots: number },
): Promise<RunningStages> {
  const stages = await runStages({
    service,
    workerName: service,
    redis: { url: redisUrl },
    log: silentLogger,
    metrics: createMetrics(service),
    lanes,
    drainBudgetMs: 100,
    ...(replica && { replica }),
  });
  return stages;
}

async function startChain(redisUrl: string): Promise<string[]> {
  const urls = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];
  const running = await Promise.all([
    startStages(redisUrl, 'encoder', { encode: { handler: encode, slots: 8 } }),
    startStages(redisUrl, 'retriever', { retrieve: { handler: retrieve, slots: 8 } }),
    ...urls.map((url, at) => {
      const worker = `llm_generator_${at + 1}`;
      const handler = generateAs(worker, url);
      return startStages(redisUrl, worker, { generate: { handler, slots: 4 } }, { url, slots: 4 });
    }),
  ]);
  onTestFinished(async () => void (await Promise.all(running.map((stages) => stages.stop()))));
  await Promise.all(running.map((stages) => stages.onceReady()));
  return urls;
}

async function start({ url, answerMs }: { url: string; answerMs?: number }): Promise<RunningGateway> {
  const dir = await mkdtemp(join(tmpdir(), 'vortex-gateway-'));
  const env = {
    REDIS_URL: url,
    PORT: '0',
    VORTEX__DATA__DIR: dir,
    VORTEX__WORKER__DRAIN_BUDGET_MS: '2000',
  };
  const config = readServiceConfig('gateway', { env });
  // A stalled machine is no Redis that hangs; where it does hang it is to be found out in the usual time.
  const patient = { ...config, redis: { ...config.redis, ...(answerMs !== undefined && { answerMs }) } };
  const gateway = await startGateway(patient, silentLogger);
  onTestFinished(async () => {
    await gateway.stop();
    await rm(dir, { recursive: true });
  });
  return gateway;
}

const post = (gateway: RunningGateway, path: string, body: object, signal?: AbortSignal) =>
  fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
const ready = async (gateway: RunningGateway) => (await fetch(`${gateway.url}/readyz`)).ok;

describe('on a real Redis', () => {
  let redis: TestRedis;
  beforeEach(async () => {
    redis = await openTestRedis();
    // Runs after what the test itself has registered: Redis is the last to go.
    onTestFinished(() => redis.close());
  });

  const loads = (urls: string[]) => Promise.all(urls.map((url) => redis.client.get(`llm:load:${url}`)));

  it('answers in JSON, as a stream, later and as hits, and leaves no load behind', async () => {
    const urls = await startChain(redis.url);
    const gateway = await start(redis);
    await until('the gateway is ready', () => ready(gateway));

    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, at) =>
        queryResponse.parse(await (await post(gateway, '/query', { query: `q${at}` })).json()),
      ),
    );
    expect(answers.map(({ answer }) => answer)).toEqual(answers.map((_, at) => `You said q${at}.`));
    expect(new Set(answers.map(({ worker }) => worker)).size).toBe(2);
    expect(Object.keys(answers[0]?.timings_ms ?? {}).sort()).toEqual(
      'admit cache_lookup deliver encode first_token generate queue_encode queue_generate queue_retrieve receive reply retrieve total'.split(
        ' ',
      ),
    );

    const stream = eventsIn(await (await post(gateway, '/query', { query: 'aloud', stream: true })).text());
    expect(stream.map(({ event }) => event)).toEqual(['start', 'sources', 'delta', 'done']);
    expect(stream.at(-1)?.data).toMatchObject({ answer: 'You said aloud.', sources: [source] });

    const later = await post(gateway, '/query', { query: 'later', async: true });
    const accepted = jobAccepted.parse(await later.json());
    const job = await until('the job is done', async () => {
      const asked = await fetch(gateway.url + accepted.status_url);
      const status = jobResponse.parse(await asked.json());
      return status.status === 'completed' ? status : null;
    });
    expect(job).toMatchObject({ id: accepted.job_id, type: 'query', error: null });
    expect(job.result).toMatchObject({ answer: 'You said later.' });
    expect(new Date(job.created_at ?? 0).getTime()).toBeGreaterThan(Date.now() - 60_000);

    const found = await post(gateway, '/search', { query: 'find' });
    const { hits } = searchResponse.parse(await found.json());
    expect(hits).toMatchObject([{ chunk_id: 'chk_1', text: 'words' }]);

    await until('the loads are back to 0', async () => (await loads(urls)).every((load) => load === '0'));
    expect(await redis.client.zcard('job:live')).toBe(0);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    for (const url of urls) expect(metrics).toContain(`api_gateway_replica_load{replica="${url}"`);
    expect(metrics).toMatch(/api_gateway_queries_total\{outcome="ok",mode="sync".*\} 13/);
  });

  it.each([false, true])('frees the slot of a client that has left (stream: %s)', async (stream) => {
    const urls = await startChain(redis.url);
    const gateway = await start(redis);
    await until('the gateway is ready', () => ready(gateway));
    const client = new AbortController();
    // The deadline is not what frees it.
    const asked = post(gateway, '/query', { query: 'wait', stream, deadline_ms: 300_000 }, client.signal);
    asked.catch(() => {});
    const held = () => loads(urls).then((all) => all.reduce((sum, load) => sum + Number(load ?? 0), 0));
    await until('a slot is held', async () => (await held()) === 1);
    if (stream) await (await asked).body?.getReader().read();
    client.abort();
    await until('the slot is free', async () => (await held()) === 0);
    expect(await redis.client.zcard('job:live')).toBe(0);
  });

  it('answers 504 with what the question has been through when its deadline passes', async () => {
    const urls = await startChain(redis.url);
    const gateway = await start(redis);
    await until('the gateway is ready', () => ready(gateway));
    const ask = async (deadline_ms: number) => {
      const response = await post(gateway, '/query', { query: 'wait', deadline_ms });
      expect(response.status).toBe(504);
      return problem.parse(await response.json());
    };
    // One that comes as far as to the generator: on a machine that stalls, not the first.
    let body = await ask(400);
    for (let ms = 800; body.stage !== 'generate'; ms *= 2) body = await ask(ms);
    expect(body).toMatchObject({ code: 'deadline_exceeded', stage: 'generate' });
    expect(Object.keys(body.timings_ms ?? {})).toEqual(
      expect.arrayContaining(['admit', 'queue_encode', 'encode', 'retrieve', 'deliver', 'total']),
    );
    await until('the slot is free', async () => (await loads(urls)).every((load) => (load ?? '0') === '0'));
  });

  it('queues a document as one envelope and shows it as a job', async () => {
    const gateway = await start(redis);
    await until('the gateway is ready', () => ready(gateway));
    const document = { user_id: 'u', document_id: 'd-1', content: 'Some words.', collection: 'notes' };
    const response = await post(gateway, '/ingest', document);
    expect(response.status).toBe(202);
    const { job_id, data, status } = ingestResponse.parse(await response.json());
    expect({ data, status }).toEqual({ data: 'd-1', status: 'accepted' });
    const [element = ''] = await redis.client.lrange('ingestion_queue', 0, -1);
    expect(JSON.parse(element)).toMatchObject({
      id: job_id,
      v: 1,
      tenant: 'default',
      track: true,
      ...document,
    });
    const job = await (await fetch(`${gateway.url}/api/jobs/${job_id}`)).json();
    expect(job).toMatchObject({ id: job_id, type: 'ingest', status: 'queued', progress: 0, result: null });
  });

  it('leaves no trace in Redis of what it refuses', async () => {
    const gateway = await start(redis);
    await until('the gateway is ready', () => ready(gateway));
    const before = (await redis.client.keys('*')).sort();
    for (const body of [{}, { query: '' }, { query: 'a', nope: 1 }, { query: 'a', collection: 'nope' }]) {
      expect((await post(gateway, '/query', body)).status).toBeGreaterThanOrEqual(400);
    }
    expect((await redis.client.keys('*')).sort()).toEqual(before);
  });

  it('finishes open requests when it is stopped', async () => {
    await startChain(redis.url);
    const gateway = await start(redis);
    await until('the gateway is ready', () => ready(gateway));
    release = Promise.withResolvers();
    const asked = Promise.all(Array.from({ length: 4 }, () => post(gateway, '/query', { query: 'hold' })));
    await until('they are on their way', async () => (await redis.client.zcard('job:live')) === 4);
    const stopped = gateway.stop();
    release.resolve();
    const [answers] = await Promise.all([asked, stopped]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow();
  });
});

describe('without Redis', () => {
  let redis: PrivateRedis;
  beforeEach(async () => {
    redis = await startPrivateRedis();
    onTestFinished(() => redis.stop());
  });

  // That it is within a second is held where the limit is, with the submitter's tests.
  it('is not ready from the moment Redis freezes, but alive, and refuses while it is frozen', async () => {
    const gateway = await start(redis);
    await until('the gateway is ready', () => ready(gateway));
    process.kill(redis.pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(redis.pid, 'SIGCONT'));
    expect(await ready(gateway)).toBe(false);
    for (const body of [{ query: 'a' }, { query: 'a', async: true }])
      expect((await post(gateway, '/query', body)).status).toBe(503);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    await until('readiness is off', async () => !(await ready(gateway)));
    expect((await post(gateway, '/query', { query: 'a', stream: true })).status).toBe(503);
    process.kill(redis.pid, 'SIGCONT');
    await until('the gateway is ready again', () => ready(gateway));
  });

  it('stays alive, says that it is not ready, refuses at once, and recovers by itself', async () => {
    await startChain(redis.url);
    const gateway = await start(redis);
    await until('the gateway is ready', () => ready(gateway));
    await redis.kill();
    await until('readiness is off', async () => !(await ready(gateway)));
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);

    for (const [path, body] of [
      ['/query', { query: 'a' }],
      ['/query', { query: 'a', stream: true }],
      ['/query', { query: 'a', async: true }],
      ['/search', { query: 'a' }],
      ['/ingest', { document_id: 'd', content: 'c' }],
    ] as const) {
      const response = await post(gateway, path, body);
      expect(response.status, path).toBe(503);
      expect(response.headers.get('retry-after'), path).not.toBeNull();
      expect(await response.json()).toMatchObject({ code: 'queue_unavailable', retryable: true });
    }
    expect((await fetch(`${gateway.url}/api/jobs/job_x`)).status).toBe(503);
    expect(await (await fetch(`${gateway.url}/health`)).json()).toMatchObject({ status: 'unavailable' });

    await redis.start();
    await until('the gateway is ready again', () => ready(gateway));
    const response = await post(gateway, '/query', { query: 'back' });
    expect(await response.json()).toMatchObject({ answer: 'You said back.' });
  });
});
