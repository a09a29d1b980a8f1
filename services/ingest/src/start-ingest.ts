import type { ServiceConfig } from '@vortex/config';
import type { ContentStore } from '@vortex/documents';
import type { Logger, Metrics, Tracing } from '@vortex/observability';
import type { LiveView, Submitter } from '@vortex/queue';
import type { Registry } from '@vortex/registry';
import { type RunStagesOptions, runStages } from '@vortex/runtime';
import type { EncoderModel } from './assert-model.ts';
import type { DocumentReader, ReadPieces } from './document-reader.ts';
import { createIngestStage } from './ingest-stage.ts';
import { createReleaser } from './release-waiting.ts';
import { createGroupSender } from './send-groups.ts';
import { usualShortBytes } from './short-document.ts';
import { createSpool } from './spool.ts';
import { type Sweeper, startSweeper } from './sweeper.ts';
import { createTurns } from './turns.ts';
import { createUploadJobs } from './upload-jobs.ts';
import { createUploadStage } from './upload-stage.ts';

export interface IngestParts {
  registry: Registry;
  originals: ContentStore;
  texts: ContentStore;
  /** Folder of documents that are being built. */
  spoolDir: string;
  shortBytes?: number;
  reader: DocumentReader;
  readPieces: ReadPieces;
  submitter: Submitter;
  liveView: LiveView;
  model: EncoderModel & { maxTokens: number };
  settings: Pick<
    ServiceConfig<'ingest'>['ingest'],
    | 'chunk_size'
    | 'chunk_overlap'
    | 'chunking_strategy'
    | 'group_size'
    | 'groups_in_flight'
    | 'slots'
    | 'sweep_ms'
    | 'job_history_days'
  >;
  runtime: Pick<
    RunStagesOptions,
    'workerName' | 'redis' | 'drainBudgetMs' | 'leaseMs' | 'beatMs' | 'caretakerMs'
  >;
  metrics: Metrics;
  tracing?: Tracing;
  log: Logger;
  /** Full groups of all documents under way at a time; tests make it scarce. */
  places?: number;
}

export interface RunningIngest {
  readiness(): { ready: boolean; reasons: string[] };
  sweeper: Sweeper;
  /** Drains; what is given back goes on elsewhere where it was. */
  stop(): Promise<void>;
  /** What the drain waits for is given back now. */
  hurry(): void;
}

/**
 * Full groups, each of as many places as it has chunks: 128 chunks are a second of one encoder. That keeps it busy while
 * others are on the way to it and back, or wait for the next commit of the store (0.2 s); more would only stand in the
 * encoder's list, where first come is first served and no turn counts any more.
 */
const groupsAtOnce = 8;

/** The two stages and the sweeper, on parts that are there. */
export async function startIngest(parts: IngestParts): Promise<RunningIngest> {
  const { registry, originals, texts, reader, readPieces, submitter, liveView, model } = parts;
  const { settings, metrics, log } = parts;
  const spool = createSpool(parts.spoolDir, registry);
  const releaser = createReleaser({ registry, submitter, log });
  const jobs = createUploadJobs({ registry, metrics, log, onPlaceFree: releaser.release });
  const upload = createUploadStage({
    ...{ registry, originals, texts, reader, readPieces, spool, liveView, jobs, model, metrics },
    groups: createGroupSender({
      submitter,
      turns: createTurns((parts.places ?? groupsAtOnce) * settings.group_size),
      groupSize: settings.group_size,
      groupsInFlight: settings.groups_in_flight,
    }),
    shortBytes: parts.shortBytes ?? usualShortBytes,
    touchMs: settings.sweep_ms || 5000,
  });
  const chunking = {
    strategy: settings.chunking_strategy,
    maxTokens: settings.chunk_size,
    overlapTokens: settings.chunk_overlap,
  };
  // Known before it takes anything; where the registry is away, the sweeper says it later.
  await registry.noteUploadWorker(submitter.name, settings.slots).catch((error: unknown) => {
    log.warn({ err: error }, 'the registry does not know this worker yet');
  });
  const stages = await runStages({
    ...parts.runtime,
    service: 'ingest',
    metrics,
    ...(parts.tracing && { tracing: parts.tracing }),
    log,
    lanes: {
      ingest: {
        handler: createIngestStage({ registry, originals, model, chunking, metrics, releaser }),
        slots: settings.slots,
      },
      upload: { handler: upload.handler, slots: settings.slots, ...jobs },
    },
  });
  const sweeper = startSweeper({
    ...{ registry, submitter, releaser, spool, metrics, log },
    slots: settings.slots,
    running: upload.running,
    sweepMs: settings.sweep_ms,
    // Two touches of a running job may be late or fail.
    untouchedMs: 3 * settings.sweep_ms,
    historyDays: settings.job_history_days,
  });
  return {
    readiness: () => stages.readiness(),
    sweeper,
    async stop() {
      await sweeper.stop();
      await stages.stop();
      await releaser.stop();
    },
    hurry: () => stages.hurry(),
  };
}
