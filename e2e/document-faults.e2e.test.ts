import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ingest, jobEnd, prose, search, upload } from './documents.ts';
import { eventually, getJson, postJson } from './http.ts';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
let redis: Redis;

beforeAll(async () => {
  stack = await startStack({ args: ['--no-demo'] });
  redis = new Redis(stack.redisUrl, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
});
afterAll(async () => {
  redis?.disconnect();
  await stack?.stop();
});

const count = 12;
const file = (number: number, collection: string) => ({
  name: `file-${number}.txt`,
  content: prose(`unit${number}`, 10 + number),
  fields: { collection, chunk_size: 64 },
});

async function uploadAll(collection: string): Promise<{ job: string; document: string }[]> {
  const accepted: { job: string; document: string }[] = [];
  for (let number = 0; number < count; number += 1) {
    const reply = await eventually(
      async () => {
        const one = await upload(stack.url, file(number, collection));
        return one.status < 500 ? one : null;
      },
      30_000,
      `file ${number} is taken`,
    );
    expect([200, 202]).toContain(reply.status);
    accepted.push({ job: reply.body.job_id, document: reply.body.document_id });
  }
  return accepted;
}

async function chunkCounts(collection: string): Promise<Record<string, number>> {
  const { body } = await getJson(`${stack.url}/api/documents?collection=${collection}&limit=1000`);
  return Object.fromEntries(
    body.documents.map((one: { filename: string; chunks: number }) => [one.filename, one.chunks]),
  );
}

async function expectAllReady(accepted: { job: string }[], collection: string): Promise<void> {
  for (const { job } of accepted) {
    expect((await jobEnd(stack.url, job, 180_000)).status).toBe('completed');
  }
  expect(await chunkCounts(collection)).toEqual(await chunkCounts('undisturbed'));
  await eventually(
    async () => (await stack.vortex('audit', '--json')).code === 0,
    30_000,
    'the audit is clean',
  );
}

describe('documents under way', () => {
  it('are all ready when nothing happens (what the others are compared with)', async () => {
    await Promise.all(
      Array.from({ length: count }, (_, number) => ingest(stack.url, file(number, 'undisturbed'))),
    );
    const counts = await chunkCounts('undisturbed');
    expect(Object.keys(counts)).toHaveLength(count);
  });

  it('are all ready although ingest, encoder, retriever and gateway are killed', async () => {
    const accepted = await uploadAll('killed');
    for (const service of ['ingest', 'encoder', 'retriever', 'gateway']) {
      await eventually(async () => (await stack.status()).ready, 60_000, 'every service is back');
      await stack.kill(service);
    }
    await eventually(async () => (await stack.status()).ready, 60_000, 'every service is back');
    await expectAllReady(accepted, 'killed');
  });

  it('are all ready although Redis forgets everything', async () => {
    const accepted = await uploadAll('flushed');
    await redis.flushall();
    await expectAllReady(accepted, 'flushed');
  });

  it('are all ready although Redis is killed, and what was taken by POST /ingest before is there', async () => {
    const accepted = await uploadAll('restarted');
    const light = await postJson(`${stack.url}/ingest`, {
      document_id: 'light',
      content: 'The quick lighthouse keeper counts his seventeen lamps.',
      collection: 'light',
    });
    expect(light.status).toBe(202);
    // Append-only file, fsync every second.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await stack.kill('redis');
    await expectAllReady(accepted, 'restarted');
    await jobEnd(stack.url, light.body.job_id);
    const [hit] = await search(stack.url, 'lighthouse keeper', { collection: 'light' });
    expect(hit.text).toContain('seventeen lamps');
  });

  it('are refused within a second while Redis is away, and nothing of them is kept', async () => {
    const before = (await getJson(`${stack.url}/api/documents?limit=1000`)).body.documents.length;
    await stack.freeze('redis');
    try {
      // Three times, as this process may be kept waiting itself; whoever waits for Redis waits until it is thawed.
      const tookMs: number[] = [];
      for (let time = 0; time < 3; time += 1) {
        const beganMs = performance.now();
        const { status, body } = await upload(stack.url, file(1, 'refused'));
        tookMs.push(performance.now() - beganMs);
        expect([status, body.code]).toEqual([503, 'queue_unavailable']);
      }
      // The gateway gives up within a second.
      expect(Math.min(...tookMs)).toBeLessThan(1_500);
    } finally {
      await stack.thaw('redis');
    }
    await eventually(async () => (await stack.status()).ready, 30_000, 'every service is back');
    const after = (await getJson(`${stack.url}/api/documents?limit=1000`)).body.documents;
    expect(after).toHaveLength(before);
  });
});
