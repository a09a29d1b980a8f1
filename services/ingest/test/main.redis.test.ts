import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { gate, groupSize, type IngestBench, openIngestBench, sentences, tenant } from './ingest-bench.ts';
import { writeTinyTokenizer } from './tiny-tokenizer.ts';

/** The service as it is started, with the real reader and the leases of production, on the bench's encoder and store. */
let bench: IngestBench;
const started: ChildProcess[] = [];
beforeEach(async () => {
  bench = await openIngestBench();
  await writeTinyTokenizer(join(bench.folder, 'models'));
});
afterEach(async () => {
  for (const service of started.splice(0)) await end(service, 'SIGKILL');
  await bench.close();
});

function startService(): ChildProcess {
  const settings = {
    REDIS_URL: bench.redis.url,
    VORTEX__DATA__DIR: bench.folder,
    VORTEX__INGEST__GROUP_SIZE: String(groupSize),
    VORTEX__INGEST__SWEEP_MS: '1000',
    VORTEX__LOG__LEVEL: 'error',
  };
  const service = spawn(
    process.execPath,
    ['--conditions=vortex-source', '--no-warnings', new URL('../src/main.ts', import.meta.url).pathname],
    { env: { PATH: process.env.PATH, ...settings }, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  started.push(service);
  return service;
}

async function end(service: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (service.exitCode !== null || service.signalCode !== null) return service.exitCode;
  const gone = once(service, 'exit');
  service.kill(signal);
  await gone;
  return service.exitCode;
}

it('reads, sends, publishes; what was cut is exactly in the text; stops when it is told to', async () => {
  const service = startService();
  const content = `# Handbook\n\n${sentences(60)}\n\n## Part 🎉\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n${sentences(40)}\n`;
  // A real process starts, and a reading child of it.
  const job = await bench.ended(await bench.upload({ name: 'a.md', content }));
  expect(job).toMatchObject({ status: 'completed', progress: 100 });
  const document = await bench.registry.getDocument(tenant, job.documentId);
  expect(document).toMatchObject({ state: 'ready', title: 'Handbook', chunks: job.result?.chunk_count });
  const text = (await bench.texts.get(String(document?.textHash))).toString();
  const rows = bench.rowsOf(job.documentId, 1);
  expect(rows).toHaveLength(Number(job.result?.chunk_count));
  for (const row of rows) expect(text.slice(...row.source_span)).toBe(row.text);
  const refused = await bench.ended(await bench.upload({ name: 'empty.txt', content: ' \n ' }));
  expect(refused).toMatchObject({ status: 'failed', errorCode: 'empty_document', retryCount: 0 });
  expect(await bench.spooled()).toEqual([]);
  expect(await end(service, 'SIGTERM')).toBe(0);
}, 300_000);

it('killed in the middle: the next one goes on, and has not read the document again', async () => {
  const held = gate();
  let open = 3;
  bench.hooks.beforeEmbed = async () => {
    open -= 1;
    if (open < 0) await held.pass();
  };
  const first = startService();
  const id = await bench.upload({ name: 'a.txt', content: sentences(900) });
  const { documentId, version } = await bench.job(id);
  const noted = async () => (await bench.registry.storedGroups(tenant, documentId, version)).length;
  await until('three groups are noted', async () => (await noted()) === 3, 60_000);
  const result = join(bench.folder, 'spool', id, String(version), 'result.json');
  const readAt = (await stat(result)).mtimeMs;
  await end(first, 'SIGKILL');
  const { updatedAt } = await bench.job(id);
  startService();
  await until(
    'it is taken over',
    async () => {
      const job = await bench.job(id);
      return job.updatedAt > updatedAt && job.deliveries === 0 && job.stage === 'embed';
    },
    60_000,
  );
  expect((await stat(result)).mtimeMs).toBe(readAt);
  held.open();
  const job = await bench.ended(id);
  expect(job).toMatchObject({ status: 'completed', retryCount: 0 });
  expect(bench.rowsOf(documentId, version)).toHaveLength(Number(job.result?.chunk_count));
}, 300_000);
