import { stages } from '@vortex/contracts';
import { keys } from '@vortex/queue';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gate, groupSize, type IngestBench, openIngestBench, sentences } from './ingest-bench.ts';

/** A Redis that forgets: every document that was accepted gets in all the same, once. */
let bench: IngestBench;
beforeEach(async () => {
  bench = await openIngestBench();
});
afterEach(() => bench.close());

/** Rounds only at the start and when asked: a job is lost when it has been aged, and never because the machine stalls. */
const asked = { sweepMs: 600_000 };
const waiting = () => bench.redis.client.lrange(stages.upload.list, 0, -1);

it('all documents get in when Redis is wiped: those that wait, and those that are being worked on', async () => {
  const workers = [await bench.startWorker(asked), await bench.startWorker(asked)];
  const held = gate();
  bench.hooks.beforeEmbed = () => held.pass();
  const ids = await Promise.all(
    Array.from({ length: 12 }, (_, number) =>
      bench.upload({ name: `${number}.txt`, content: sentences(20 + number) }),
    ),
  );
  const jobs = () => Promise.all(ids.map((id) => bench.job(id)));
  // All slots of both.
  await until(
    'eight are being worked on',
    async () => (await jobs()).filter(({ startedAt }) => startedAt !== null).length === 8,
  );
  await until('groups are in the encoder', () => held.arrived() >= 4);
  const left = (await jobs()).filter(({ startedAt }) => startedAt === null);
  await bench.redis.client.flushdb();
  for (const { id } of left) bench.age(id);
  const found = await Promise.all(workers.map(({ sweeper }) => sweeper.sweep()));
  expect(Math.max(...found)).toBe(left.length);
  held.open();
  const ended = await Promise.all(ids.map((id) => bench.ended(id)));
  for (const job of ended) {
    expect(job).toMatchObject({ status: 'completed', retryCount: 0 });
    const rows = bench.rowsOf(job.documentId, job.version);
    expect(rows).toHaveLength(Number(job.result?.chunk_count));
    expect(new Set(rows.map((row) => row.ordinal)).size).toBe(rows.length);
  }
  expect(bench.parsed()).toHaveLength(ids.length);
  await until(
    'nothing is left in the queue',
    async () => (await bench.redis.client.zcard(keys.live('low'))) === 0,
  );
  expect(await waiting()).toEqual([]);
});

it('a gateway that died between registry and queue: the sweeper finds the job, with its live view', async () => {
  const worker = await bench.startWorker();
  const id = await bench.upload({ name: 'a.txt', content: sentences(3) });
  await bench.ended(id);
  const held = gate();
  bench.hooks.beforeRead = () => held.pass();
  const lost = await bench.upload({ name: 'b.txt', content: sentences(3) });
  await until('it is being read', () => held.arrived() > 0);
  await worker.stop();
  await bench.redis.client.flushdb();
  bench.age(lost);
  // Both sweep at their start, and may meet: one is told DUP.
  const next = [await bench.startWorker(asked), await bench.startWorker(asked)];
  await until('it is being read again', () => held.arrived() > 1);
  expect(await bench.redis.client.zcard(keys.live('low'))).toBe(1);
  expect(await bench.redis.client.hgetall(keys.job(lost))).toMatchObject({ type: 'document_upload' });
  held.open();
  expect(await bench.ended(lost)).toMatchObject({ status: 'completed' });
  const swept = await Promise.all(next.map(async ({ metrics }) => (await metrics.render()).body));
  expect(swept.filter((body) => /rag_ingest_swept_total\{.*\} [12]$/m.test(body)).length).toBeGreaterThan(0);
});

describe('a job that its worker still runs', () => {
  it('is not queued again, and ends in the registry though Redis has forgotten it', async () => {
    // Touched every 100 ms.
    const worker = await bench.startWorker({ sweepMs: 100 });
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    const id = await bench.upload({ name: 'a.txt', content: sentences(20) });
    await until('a group is in the encoder', () => held.arrived() > 0);
    await bench.redis.client.flushdb();
    const other = await bench.startWorker(asked);
    for (let time = 0; time < 3; time += 1) {
      bench.age(id);
      expect(await worker.sweeper.sweep()).toBe(0);
      await until(
        'it is touched, and not lost any more to who does not run it',
        async () => (await bench.job(id)).updatedAt > Date.now() - 1_800_000,
      );
      expect(await other.sweeper.sweep()).toBe(0);
    }
    held.open();
    expect(await bench.ended(id)).toMatchObject({ status: 'completed' });
    expect(bench.parsed()).toHaveLength(1);
  });

  it('delivered once more to the same worker, it joins the run: one run, both deliveries settled', async () => {
    await bench.startWorker();
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    const id = await bench.upload({ name: 'a.txt', content: sentences(40) });
    await until('a group is in the encoder', () => held.arrived() > 0);
    // Being read is a commit, after which deliveries are counted from 0.
    await until('it is read', async () => (await bench.job(id)).deliveries === 0);
    await bench.redis.client.rpush(stages.upload.list, id);
    await until('it is claimed again', async () => (await bench.job(id)).deliveries === 1);
    held.open();
    const job = await bench.ended(id);
    expect(job).toMatchObject({ status: 'completed' });
    expect(bench.parsed()).toHaveLength(1);
    expect(bench.embedded).toHaveLength(Number(job.result?.chunk_count));
    await until('both are settled', async () => (await bench.redis.client.keys('*:proc:*')).length === 0);
  });

  it('delivered to another worker at the same time, it is built once and ends once', async () => {
    await bench.startWorker();
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    // Four documents, as many as the first worker has slots: what comes now is the second's.
    const [id = ''] = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => bench.upload({ name: `${name}.txt`, content: sentences(40) })),
    );
    await until('all are begun', async () => (await waiting()).length === 0 && bench.parsed().length === 4);
    await until('it is read', async () => (await bench.job(id)).deliveries === 0);
    await bench.startWorker();
    await bench.redis.client.rpush(stages.upload.list, id);
    await until('it is claimed again', async () => (await bench.job(id)).deliveries === 1);
    held.open();
    const job = await bench.ended(id);
    expect(job).toMatchObject({ status: 'completed', errorCode: null });
    const rows = bench.rowsOf(job.documentId, job.version);
    expect(rows).toHaveLength(Number(job.result?.chunk_count));
    expect(bench.parsed()).toHaveLength(4);
    await until('all are settled', async () => (await bench.redis.client.keys('*:proc:*')).length === 0);
    expect(await bench.job(id)).toMatchObject({ status: 'completed', errorCode: null });
    expect(await bench.redis.client.llen(keys.dead(stages.upload.list))).toBe(0);
  });
});

it('groups of a document are sent again when Redis has lost them', async () => {
  await bench.startWorker();
  let wiped = false;
  bench.hooks.beforeEmbed = async ({ chunks }) => {
    if (wiped || chunks[0]?.ordinal !== groupSize * 2) return;
    wiped = true;
    await bench.redis.client.flushdb();
  };
  const job = await bench.ended(await bench.upload({ name: 'a.txt', content: sentences(60) }));
  expect(wiped).toBe(true);
  expect(job).toMatchObject({ status: 'completed' });
  const rows = bench.rowsOf(job.documentId, job.version);
  expect(new Set(rows.map((row) => row.ordinal)).size).toBe(Number(job.result?.chunk_count));
});

it('an id that has waited until Redis ended it as overdue is ingested all the same, once', async () => {
  const id = await bench.upload({ name: 'late.txt', content: sentences(3) });
  await bench.redis.client.zadd(keys.live('low'), 1, id);
  const shown = () => bench.redis.client.hget(keys.job(id), 'status');
  await until('the live view says so', async () => (await shown()) === 'failed');
  bench.age(id);
  await bench.startWorker(asked);
  expect(await bench.ended(id)).toMatchObject({ status: 'completed', retryCount: 0 });
  await until('neither of its elements is left', async () => {
    const live = await bench.redis.client.zcard(keys.live('low'));
    return live === 0 && (await waiting()).length === 0;
  });
  expect(bench.parsed()).toHaveLength(1);
  expect(await shown()).toBe('completed');
});

it('a job that is being cancelled is not queued again', async () => {
  const id = await bench.upload({ name: 'a.txt', content: sentences(3) });
  await bench.registry.cancelJob('default', id);
  await bench.redis.client.flushdb();
  const worker = await bench.startWorker(asked);
  bench.age(id);
  expect(await worker.sweeper.sweep()).toBe(0);
});
