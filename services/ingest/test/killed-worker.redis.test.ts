import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { maxDeliveries } from '@vortex/contracts';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { gate, groupSize, type IngestBench, openIngestBench, sentences, tenant } from './ingest-bench.ts';

/**
 * Ingest workers as processes of their own, really killed. Of their leases none lapses before its worker is dead, and
 * all of them then. A process takes a second to start, and on a busy machine ten: hence the time limits.
 */
let bench: IngestBench;
const children: ChildProcess[] = [];
const lapses: Promise<void>[] = [];
beforeEach(async () => {
  bench = await openIngestBench();
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await Promise.all(lapses.splice(0));
  await bench.close();
});

async function startProcess(): Promise<ChildProcess> {
  const child = fork(
    new URL('./fixtures/ingest-process.ts', import.meta.url),
    [bench.redis.url, bench.folder],
    {
      execArgv: ['--conditions=vortex-source', '--no-warnings'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  children.push(child);
  child.once('exit', () => lapses.push(bench.lapse(child.pid)));
  // A document that is waiting may kill it before it has said anything.
  await Promise.race([once(child, 'message'), once(child, 'exit')]);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

it('killed in the middle of a document: the next one parses nothing again and sends what is missing', async () => {
  const child = await startProcess();
  const held = gate();
  let open = 3;
  bench.hooks.beforeEmbed = async () => {
    open -= 1;
    if (open < 0) await held.pass();
  };
  const id = await bench.upload({ name: 'a.txt', content: sentences(120) });
  const { documentId, version } = await bench.job(id);
  await until(
    'three groups are noted',
    async () => (await bench.registry.storedGroups(tenant, documentId, version)).length === 3,
  );
  const doneBefore = new Set(bench.embedded);
  expect(doneBefore.size).toBe(3 * groupSize);
  await kill(child);
  await bench.startWorker();
  held.open();
  const job = await bench.ended(id);
  expect(job).toMatchObject({ status: 'completed', version, retryCount: 0 });
  expect(bench.parsed()).toEqual([]);
  expect(bench.embedded.filter((place) => doneBefore.has(place))).toHaveLength(doneBefore.size);
  // Two were on their way when it was killed: stored, and nobody there to note it.
  const twice = bench.embedded.length - new Set(bench.embedded).size;
  expect(twice).toBeLessThanOrEqual(2 * groupSize);
  expect(bench.rowsOf(documentId, version)).toHaveLength(Number(job.result?.chunk_count));
  const progress = (await bench.registry.jobEvents(tenant, id, 0)).map((event) => event.progress);
  expect(progress).toEqual([...progress].sort((one, other) => one - other));
}, 300_000);

it('killed after every group it has stored, more often than poison is given: it gets on, and in', async () => {
  const id = await bench.upload({ name: 'a.txt', content: sentences(120) });
  const { documentId, version } = await bench.job(id);
  const stored = async () => (await bench.registry.storedGroups(tenant, documentId, version)).length;
  const isOver = async () => (await bench.job(id)).completedAt !== null;
  let kills = 0;
  while (kills < maxDeliveries + 1) {
    const before = await stored();
    const child = await startProcess();
    // Held from the group after the next on, so that no worker is through before it is killed.
    let open = 1;
    const held = gate();
    bench.hooks.beforeEmbed = async () => {
      open -= 1;
      if (open < 0) await held.pass();
    };
    await until('a group more is stored', async () => (await stored()) > before || (await isOver()));
    await kill(child);
    bench.hooks.beforeEmbed = async () => undefined;
    kills += 1;
    // What was held goes its way; the encoder is not killed.
    held.open();
    if (await isOver()) break;
  }
  await bench.startWorker();
  expect(await bench.ended(id)).toMatchObject({ status: 'completed', retryCount: 0 });
  expect(kills).toBe(maxDeliveries + 1);
}, 300_000);

it('killed more often than poison is given while its document waits for an encoder that is away: it gets in', async () => {
  const away = gate();
  bench.hooks.beforeEmbed = () => away.pass();
  const id = await bench.upload({ name: 'a.txt', content: sentences(20) });
  const first = await startProcess();
  await until('its chunks are on their way', () => away.arrived() > 0);
  await kill(first);
  for (let kills = 1; kills <= maxDeliveries; kills += 1) {
    const child = await startProcess();
    const said = once(child, 'message');
    expect(await Promise.race([said, bench.ended(id)])).toEqual(['read again', undefined]);
    await kill(child);
  }
  away.open();
  await bench.startWorker();
  expect(await bench.ended(id)).toMatchObject({ status: 'completed', retryCount: 0 });
}, 300_000);

it('workers killed again and again under many documents: all get in, each with all of its chunks', async () => {
  const contents = Array.from({ length: 40 }, (_, number) => sentences(10 + (number % 7) * 15, `w${number}`));
  const ids = await Promise.all(
    contents.map((content, number) => bench.upload({ name: `${number}.txt`, content })),
  );
  const isOver = async () => (await bench.registry.countOpenJobs()) === 0;
  await startProcess();
  // Two kills: a third of a document in its parser each time would rightly be taken for poison.
  for (let round = 0; round < 2; round += 1) {
    await startProcess();
    const embedded = bench.embedded.length;
    await until('work goes on', async () => bench.embedded.length > embedded + groupSize || (await isOver()));
    const victim = children.shift();
    if (victim !== undefined) await kill(victim);
  }
  await until('all jobs have ended', isOver, 240_000);
  for (const id of ids) {
    const job = await bench.job(id);
    expect(job).toMatchObject({ status: 'completed' });
    const rows = bench.rowsOf(job.documentId, job.version);
    expect(rows.map((row) => row.ordinal).sort((one, other) => one - other)).toEqual(
      Array.from({ length: Number(job.result?.chunk_count) }, (_, ordinal) => ordinal),
    );
  }
  expect(await bench.registry.listDocuments(tenant, { state: 'ready' })).toHaveLength(ids.length);
}, 300_000);

it('a document that kills its worker ends as poison after three deaths; the others get in', async () => {
  const deadly = await bench.upload({ name: 'deadly.txt', content: `DIE ${sentences(3)}` });
  let deaths = 0;
  const supervise = async () => {
    for (;;) {
      const child = await startProcess();
      const ended = until(
        'the deadly job ends',
        async () => (await bench.job(deadly)).completedAt !== null,
        240_000,
      );
      const died = child.signalCode === null ? once(child, 'exit').then(() => 'died') : 'died';
      if ((await Promise.race([died, ended.then(() => 'ended')])) === 'ended') return;
      deaths += 1;
    }
  };
  const supervised = supervise();
  const harmless = await bench.upload({ name: 'harmless.txt', content: sentences(3) });
  // It may stand behind three deaths and three starts.
  expect(await bench.ended(harmless, 240_000)).toMatchObject({ status: 'completed' });
  await supervised;
  expect(await bench.job(deadly)).toMatchObject({ status: 'failed', errorCode: 'poison' });
  expect(deaths).toBe(3);
  expect(await bench.job(harmless)).toMatchObject({ retryCount: 0 });
}, 300_000);
