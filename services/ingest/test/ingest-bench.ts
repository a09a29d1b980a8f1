import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  type Chunk,
  type DocumentJobPayload,
  encodeVector,
  newId,
  type Outcome,
  stages,
} from '@vortex/contracts';
import { type ContentStore, createContentStore, settingsHash } from '@vortex/documents';
import { createMetrics, type Metrics, silentLogger } from '@vortex/observability';
import { createLiveView, createSubmitter, keys, type Submitter } from '@vortex/queue';
import { type JobRecord, openSqliteRegistry, type Registry } from '@vortex/registry';
import { runStages } from '@vortex/runtime';
import { openTestRedis, type TestRedis, until } from '@vortex/testkit';
import { startIngest } from '../src/start-ingest.ts';
import type { Sweeper } from '../src/sweeper.ts';
import { benchModel, benchSettings, benchShortBytes } from './bench-settings.ts';
import { createPlainReader, readPlainPieces } from './plain-reader.ts';

/**
 * The ingest worker on a real queue, registry, spool and stores. Encoder and store are two small stages of the
 * bench: the encoder gives every chunk the same vector, the store is a map that keeps the store stage's promises
 * (only versions that are wanted, the same row twice is one row).
 */
export const tenant = 'default';
export { groupSize } from './bench-settings.ts';

const { fingerprint } = benchModel;
const chunking = { strategy: 'structure', maxTokens: 32, overlapTokens: 4 } as const;

export interface IngestBench {
  redis: TestRedis;
  /** The data folder. */
  folder: string;
  registry: Registry;
  texts: ContentStore;
  originals: ContentStore;
  /** Of all workers: rows of the store, `<document>:<version>:<ordinal>` of what was embedded, in order. */
  rows: Map<string, StoredRow>;
  embedded: string[];
  /** Output folders of documents that were really parsed. */
  parsed(): string[];
  /** What encoder and reader do before they work; replaced by tests. */
  hooks: {
    beforeEmbed(group: { tenant: string; chunks: Chunk[]; document_id: string }): Promise<void>;
    beforeRead(signal: AbortSignal): Promise<void>;
  };
  submitter: Submitter;
  startWorker(options?: { model?: string; places?: number; sweepMs?: number }): Promise<Worker>;
  /** Accepts and queues a document as the gateway does; resolves with the job's id. */
  upload(document: UploadedText): Promise<string>;
  job(id: string): Promise<JobRecord>;
  ended(id: string, withinMs?: number): Promise<JobRecord>;
  /** Nobody has touched it for an hour, says the registry: what a sweeper has to see of a job before it takes it for lost. */
  age(id: string): void;
  /** What time does to the leases of a worker that is dead. */
  lapse(pid: number | undefined): Promise<void>;
  /** One pass of the retriever's purge. */
  purge(): Promise<void>;
  rowsOf(documentId: string, version: number): StoredRow[];
  spooled(): Promise<string[]>;
  close(): Promise<void>;
}

export interface Worker {
  metrics: Metrics;
  sweeper: Sweeper;
  stop(): Promise<void>;
}

export type StoredRow = Chunk & { version: number; document_id: string };

export interface UploadedText {
  name: string;
  content: string;
  tenant?: string;
  collection?: string;
  title?: string;
  maxRetries?: number;
}

const idsOf = (jobs: readonly JobRecord[]) => jobs.map(({ id }) => id);

export async function openIngestBench(): Promise<IngestBench> {
  const redis = await openTestRedis();
  const folder = await mkdtemp(join(tmpdir(), 'vortex-ingest-'));
  const registry = openSqliteRegistry({ file: join(folder, 'registry.db') });
  const originals = createContentStore(join(folder, 'originals'));
  const texts = createContentStore(join(folder, 'texts'));
  const rows = new Map<string, StoredRow>();
  const embedded: string[] = [];
  const started: { stop(): Promise<void> }[] = [];
  const readers: { parsed: string[] }[] = [];
  const hooks: IngestBench['hooks'] = {
    beforeEmbed: async () => undefined,
    beforeRead: async () => undefined,
  };
  const common = {
    workerName: 'test',
    redis,
    log: silentLogger,
    drainBudgetMs: 0,
    beatMs: 200,
    // None of a worker that lives lapses because the machine is busy; the tests lapse those of the dead.
    leaseMs: 600_000,
    caretakerMs: 100,
  };
  const submitterOf = async () => {
    const made = createSubmitter({ redis, name: newId('req'), checkMs: 200 });
    await made.start();
    await until('the submitter is connected', () => made.isReady());
    return made;
  };
  const submitter = await submitterOf();

  started.push(
    await runStages({
      ...common,
      service: 'encoder-and-store',
      metrics: createMetrics('encoder-and-store'),
      lanes: {
        embed: {
          slots: 4,
          async handler(input): Promise<Outcome<'embed'>> {
            const { collection, document_id, version, title, chunks } = input;
            await hooks.beforeEmbed(input);
            embedded.push(...chunks.map((chunk) => `${document_id}:${version}:${chunk.ordinal}`));
            const embedding = encodeVector(Float32Array.of(1, 0));
            const payload = { collection, document_id, version, title, embedding_model: fingerprint };
            const withVectors = chunks.map((chunk) => ({ ...chunk, embedding }));
            return { kind: 'forward', to: 'store', payload: { ...payload, chunks: withVectors } };
          },
        },
        store: {
          slots: 4,
          async handler({ document_id, version, chunks }, { job }): Promise<Outcome<'store'>> {
            const state = await registry.versionState(job.tenant, document_id, version);
            const wanted = state === 'building' || state === 'visible';
            if (wanted)
              for (const chunk of chunks) rows.set(chunk.chunk_id, { ...chunk, version, document_id });
            return { kind: 'done', result: { stored: wanted ? chunks.length : 0, truncated: 0 } };
          },
        },
      },
    }),
  );

  const bench: IngestBench = {
    redis,
    folder,
    registry,
    texts,
    originals,
    rows,
    embedded,
    parsed: () => readers.flatMap((reader) => reader.parsed),
    hooks,
    submitter,

    async startWorker({ model = fingerprint, places = 8, sweepMs = 60_000 } = {}) {
      const submitterOfWorker = await submitterOf();
      const metrics = createMetrics('ingest');
      const liveView = createLiveView(redis);
      const reader = createPlainReader({ beforeRead: (signal) => hooks.beforeRead(signal) });
      readers.push(reader);
      const running = await startIngest({
        ...{ registry, originals, reader, liveView, metrics, places },
        submitter: submitterOfWorker,
        texts,
        spoolDir: join(folder, 'spool'),
        shortBytes: benchShortBytes,
        readPieces: readPlainPieces,
        model: { ...benchModel, fingerprint: model },
        settings: { ...benchSettings, sweep_ms: sweepMs },
        runtime: common,
        log: silentLogger,
      });
      let stopping: Promise<void> | undefined;
      const stop = async () => {
        await running.stop();
        liveView.close();
        await submitterOfWorker.close();
      };
      const worker: Worker = { metrics, sweeper: running.sweeper, stop: () => (stopping ??= stop()) };
      started.push(worker);
      return worker;
    },

    async upload({ name, content, tenant: of = tenant, collection = 'default', title, maxRetries = 4 }) {
      const id = newId('job');
      const bytes = Buffer.from(content);
      await originals.put(bytes);
      const mediaType = name.endsWith('.md') ? 'text/markdown' : 'text/plain';
      const contentHash = createHash('sha256').update(bytes).digest('hex');
      const payload: DocumentJobPayload = {
        ...{ collection, external_id: name, filename: name, title: title ?? null, media_type: mediaType },
        ...{ content_hash: contentHash, bytes: bytes.length, metadata: {} },
        ...{ chunk_size: 32, chunk_overlap: 4, chunking_strategy: 'structure' },
      };
      const accepted = await registry.acceptDocuments([
        {
          ...{ tenant: of, collection, externalId: name, filename: name, title: title ?? null, mediaType },
          ...{ metadata: {}, contentHash, bytes: bytes.length, ifExists: 'replace' },
          settingsHash: settingsHash({ mediaType, title: title ?? null, metadata: {}, chunking }),
          job: { id, type: 'document_upload', payload, maxRetries, webhookUrl: null, traceparent: null },
        },
      ]);
      const [acceptance] = accepted.outcome === 'accepted' ? accepted.documents : [];
      if (acceptance?.outcome !== 'accepted')
        throw new Error(`the upload was not accepted: ${JSON.stringify(accepted)}`);
      const released = acceptance.isReleased ? [id] : await registry.letWait(of, [id]).then(idsOf);
      for (const one of released) {
        await submitter.enqueue({
          list: stages.upload.list,
          lane: 'low',
          id: one,
          deadlineAt: Date.now() + 3_600_000,
          envelope: 'bare',
          cap: 1000,
          track: { type: 'document_upload', tenant: of, payload, maxRetries },
        });
      }
      return id;
    },

    async job(id) {
      for (const name of await registry.listTenants()) {
        const found = await registry.getJob(name, id);
        if (found !== null) return found;
      }
      throw new Error(`the registry has no job ${id}`);
    },
    // A worker's start is in it, on a machine that may be busy with other suites.
    ended: (id, withinMs = 60_000) =>
      until(
        `the end of ${id}`,
        async () => {
          const job = await bench.job(id);
          return job.completedAt === null ? null : job;
        },
        withinMs,
      ),

    age(id) {
      const database = new DatabaseSync(join(folder, 'registry.db'), { timeout: 5000 });
      database.prepare('UPDATE jobs SET updated_at = ? WHERE id = ?').run(Date.now() - 3_600_000, id);
      database.close();
    },
    async lapse(pid) {
      const members = await redis.client.zrange(keys.workers, '0', '-1');
      for (const member of members.filter((one) => one.includes(`-${pid}-`)))
        await redis.client.zadd(keys.workers, 'XX', 1, member);
    },

    async purge() {
      for (const { tenant: of, documentId, version } of await registry.staleVersions()) {
        for (const row of bench.rowsOf(documentId, version)) rows.delete(row.chunk_id);
        await registry.forgetVersion(of, documentId, version);
      }
    },
    rowsOf: (documentId, version) =>
      [...rows.values()].filter((row) => row.document_id === documentId && row.version === version),
    spooled: () => readdir(join(folder, 'spool')).catch(() => []),

    async close() {
      await Promise.all(started.map((running) => running.stop()));
      await submitter.close();
      await registry.close();
      await redis.close();
      await rm(folder, { recursive: true });
    },
  };
  return bench;
}

export const sentences = (count: number, word = 'queue') =>
  Array.from({ length: count }, (_, index) => `The ${word} holds jobs, sentence number ${index}.`).join(' ');

/** Holds everybody who passes until it is opened; `arrived` counts them. */
export function gate(): { pass(): Promise<void>; open(): void; arrived(): number } {
  let arrived = 0;
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    async pass() {
      arrived += 1;
      await opened;
    },
    open: () => open(),
    arrived: () => arrived,
  };
}
