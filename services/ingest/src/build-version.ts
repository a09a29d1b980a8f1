import type { DocumentJobPayload } from '@vortex/contracts';
import type { LabelsOf } from '@vortex/observability';
import type { JobRecord } from '@vortex/registry';
import type { StageContext } from '@vortex/runtime';
import { createProgress, storedAt } from './progress.ts';
import { readOriginal } from './read-original.ts';
import { createProgressReporter } from './report-progress.ts';
import { isShort } from './short-document.ts';
import type { UploadDeps } from './upload-deps.ts';

export interface BuiltVersion {
  payload: DocumentJobPayload;
  publication: 'published' | 'superseded';
  chunks: number;
  pages: number | null;
  /** Since the job's first start, waits between its tries included. */
  processingMs: number;
  publishedAt: number;
}

/** Who suspects a document of killing its worker hears how its reading goes. */
export interface ReadingWatch {
  /** It goes on where it can do no harm to others. */
  onSlow(): void;
  /** It has been read to its end, and this worker lives. */
  onRead(): Promise<void>;
}

/**
 * Builds a job's version and switches to it: read, send what is not stored yet, publish. Says how far it is.
 * @returns null when the version is not to be built any more.
 */
export async function buildVersion(
  job: JobRecord,
  payload: DocumentJobPayload,
  context: StageContext,
  deps: UploadDeps & { watch: ReadingWatch },
): Promise<BuiltVersion | null> {
  const { registry, spool, groups, metrics } = deps;
  const { signal, log, now } = context;
  const { id: jobId, tenant, documentId, version } = job;
  const named = { tenant, documentId, version };
  const isWanted = async () => (await registry.versionState(tenant, documentId, version)) === 'building';
  const progress = createProgress(now);
  const reporter = createProgressReporter({ ...deps, jobId, log });
  const timed = createStopwatch((stage, ms) => {
    context.timing(stage, ms);
    metrics.observe('rag_ingest_stage_duration_seconds', { stage }, ms / 1000);
  });

  try {
    reporter.say({ stage: 'parse', progress: 0, message: 'Waiting for the parser', etaMs: null });
    const folder = isShort(payload, deps) ? null : await spool.folderOf({ id: jobId, tenant, version });
    const read = await readOriginal(
      { ...named, payload },
      folder,
      {
        signal,
        onProgress(read) {
          reporter.say(progress.reading(read));
          // It has lost a child by now, and no worker.
          if (read.stage === 'wait') deps.watch.onSlow();
        },
      },
      deps,
    );
    signal.throwIfAborted();
    timed('parse');

    const stored = await registry.storedGroups(tenant, documentId, version);
    const storedChunks = stored.reduce((sum, group) => sum + group.chunks, 0);
    if (stored.length > 0) log.info({ document_id: documentId, version, chunks: storedChunks }, 'resuming');
    reporter.say(progress.read(storedChunks, read.pieces));
    await deps.watch.onRead();
    let truncated = 0;
    const sent = await groups.send(
      {
        job: context.job,
        trace: context.trace,
        collection: job.collection,
        documentId,
        version,
        title: read.shownTitle,
        pieces: read.pieces,
        piecesFrom: read.piecesFrom,
        stored,
      },
      {
        signal,
        isWanted,
        async onStored(group, result) {
          truncated += result.truncated;
          await registry.noteStoredGroup({ ...named, ...group });
          const said = progress.stored(group.chunks);
          // After the last one the publication says more, and at once.
          if (said.progress < storedAt) reporter.sayNow(said);
          else reporter.say(said);
        },
      },
    );
    if (truncated > 0)
      log.warn({ document_id: documentId, truncated }, 'the encoder cut chunks that were too long');
    signal.throwIfAborted();
    if (sent === 'dropped' && (await isWanted())) {
      throw new Error(
        `the store dropped chunks of version ${version} of ${documentId}, which is still being built`,
      );
    }
    timed('embed');

    reporter.say(progress.publishing());
    // A version that was overtaken, cancelled or deleted is nothing to publish: publishVersion says so.
    const processingMs = Math.max(0, now() - (job.startedAt ?? now()));
    const { textHash, pieces: chunks, tokens, pages } = read;
    const result = { processing_time_ms: processingMs };
    const publication = await registry.publishVersion({ ...named, textHash, chunks, tokens, result });
    timed('publish');
    if (publication === 'lost' || publication === 'deleted') return null;
    return { payload, publication, chunks, pages, processingMs, publishedAt: now() };
  } finally {
    await reporter.stop();
  }
}

type BuildStep = LabelsOf<'rag_ingest_stage_duration_seconds'>['stage'];

function createStopwatch(note: (stage: BuildStep, ms: number) => void): (stage: BuildStep) => void {
  let since = performance.now();
  return (stage) => {
    const now = performance.now();
    note(stage, now - since);
    since = now;
  };
}
