import {
  type DocumentJobPayload,
  documentJobPayload,
  type IngestResult,
  type Outcome,
  StageFailure,
} from '@vortex/contracts';
import type { JobRecord } from '@vortex/registry';
import type { StageContext, StageHandler } from '@vortex/runtime';
import { assertModel } from './assert-model.ts';
import { type BuiltVersion, buildVersion, type ReadingWatch } from './build-version.ts';
import { ReaderBusy } from './document-reader.ts';
import { countEnd, typeLabel } from './ingest-ends.ts';
import { isShort } from './short-document.ts';
import type { UploadDeps } from './upload-deps.ts';

/**
 * In: the id of a document's job. Out: the document, visible as a whole.
 *
 *   original ─► read in a child: text and pieces ─► groups embedded and stored ─► published (the switch) ─► done
 *
 * Every step can be repeated and none is repeated without need: the read document lies in the spool until the job
 * ends (a short one is read again instead), stored groups are noted, chunk and group ids are made of what they name.
 *
 * Refused: what no retry can help (`StageFailure`), and what has failed on every try (`attempts_exhausted`). A job
 * that was cancelled, or whose document was deleted, stops at the next group or by its signal: `cancelled`; what it
 * stored is purged by the retriever.
 *
 * An id may be delivered twice at once: a wiped Redis forgets that the first run holds it, and the sweeper may put it
 * back before the run has touched its row again. In one process the second delivery then joins the first run, so the
 * end is told to whichever element Redis still knows. In two processes both run: they send the same groups under
 * the same ids, and publishing twice is once.
 */
export interface UploadStage {
  handler: StageHandler<'upload'>;
  /** Jobs this process works on. */
  running(): ReadonlySet<string>;
}

export function createUploadStage(deps: UploadDeps): UploadStage {
  const runs = new Map<string, Promise<Outcome<'upload'>>>();
  let suspect: { id: string; since: number } | undefined;

  const handler: StageHandler<'upload'> = (_input, context) => {
    const { id, redelivered } = context.job;
    const present = runs.get(id);
    if (present !== undefined) return present;
    if (redelivered > 0) {
      if (suspect !== undefined && performance.now() - suspect.since < longestSuspicionMs) {
        return Promise.resolve(afterSuspect);
      }
      suspect = { id, since: performance.now() };
    }
    const clear = () => {
      if (suspect?.id === id) suspect = undefined;
    };
    const watch: ReadingWatch = {
      onSlow: clear,
      async onRead() {
        clear();
        if (redelivered > 0) await deps.registry.noteRead(id);
      },
    };
    const run = ingest(context, deps, watch).finally(() => {
      clear();
      runs.delete(id);
    });
    runs.set(id, run);
    return run;
  };
  return { handler, running: () => new Set(runs.keys()) };
}

/** What kills a worker does so in less; a document that is read for minutes must not keep all others back. */
const longestSuspicionMs = 20_000;

/**
 * A job whose worker has died over it may be what killed it, or may only have been beside it. So in one worker such
 * jobs are read one at a time: the one that kills is then alone with its count, and the others' are not raised (an
 * answer `later` takes the delivery back). Read together, three deaths would make poison of all of them. Once it is
 * read, the delivery is taken back too, some times (`noteRead`): it waits for the encoder then, for as long as that is
 * away, and its worker may die beside it again and again.
 */
const afterSuspect: Outcome<'upload'> = {
  kind: 'later',
  afterMs: 500,
  reason: 'another document that has lost its worker is read first',
};

async function ingest(
  context: StageContext,
  deps: UploadDeps,
  watch: ReadingWatch,
): Promise<Outcome<'upload'>> {
  const { id, tenant } = context.job;
  const job = await deps.registry.getJob(tenant, id);
  if (job === null || job.completedAt !== null) throw new Error(`job ${id} ended while it was claimed`);
  const payload = documentJobPayload.parse(job.payload);
  const outcome = await attempt(job, payload, context, deps, watch);
  if (!isShort(payload, deps)) await deps.spool.remove(id);
  if (outcome.kind === 'done') deps.jobs.forget(id);
  return outcome;
}

async function attempt(
  job: JobRecord,
  payload: DocumentJobPayload,
  context: StageContext,
  deps: UploadDeps,
  watch: ReadingWatch,
): Promise<Outcome<'upload'>> {
  try {
    assertModel(await deps.registry.getCollection(job.tenant, job.collection), deps.model);
    const built = await buildVersion(job, payload, context, { ...deps, watch });
    return built === null ? cancelled : done(job, built, deps);
  } catch (error) {
    // An abort has been settled by whoever aborted.
    if (context.signal.aborted) throw error;
    if (error instanceof ReaderBusy) return afterSlowOnes(error.message);
    if (error instanceof StageFailure && !error.mayRetry) {
      return { kind: 'reject', code: error.code, reason: error.message };
    }
    if (job.retryCount < job.maxRetries) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const reason = `gave up after ${job.retryCount + 1} tries: ${message}`;
    return { kind: 'reject', code: 'attempts_exhausted', reason };
  }
}

/** Spread, so that a hundred of them do not come back at once. */
function afterSlowOnes(reason: string): Outcome<'upload'> {
  return { kind: 'later', afterMs: 10_000 * (0.5 + Math.random()), reason };
}

const cancelled: Outcome<'upload'> = {
  kind: 'reject',
  code: 'cancelled',
  reason: 'the job was cancelled, or its document deleted, while it was ingested',
};

function done(job: JobRecord, built: BuiltVersion, { metrics }: UploadDeps): Outcome<'upload'> {
  const { payload, publication, chunks, pages, processingMs, publishedAt } = built;
  const { media_type: mediaType, bytes } = payload;
  countEnd(metrics, publication, { mediaType, bytes, pages, chunks });
  if (publication === 'published') {
    const waitedMs = publishedAt - (payload.accepted_at ?? job.createdAt);
    metrics.observe('rag_ingest_freshness_seconds', { type: typeLabel(mediaType) }, waitedMs / 1000);
  }
  return {
    kind: 'done',
    result: {
      document_id: job.documentId,
      external_id: payload.external_id,
      collection: job.collection,
      chunk_count: chunks,
      processing_time_ms: processingMs,
    } satisfies IngestResult,
  };
}
