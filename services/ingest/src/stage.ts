import { type Outcome, StageFailure, stages } from '@vortex/contracts';
import type { StageContext, StageHandler } from '@vortex/runtime';
import { buildVersion } from './build-version.ts';
import { assertModel, chunkLimits, planOf, settingsHash } from './document-plan.ts';
import type { IngestDeps } from './ingest-deps.ts';

/**
 * In: a document whose text is in the envelope. Out: the document, visible as a whole, with its id and the
 * number of its chunks. The same content with the same settings, visible already, is done at once.
 * Refused: no text (`empty_document`), a collection of another embedding model (`embedding_mismatch`), a
 * document deleted while it was ingested (`cancelled`).
 *
 *   version begun ─► text stored, chunked ─► groups embedded and stored ─► published (the switch) ─► done
 *
 * Every step can be repeated: the job's version is remembered, texts are named by their content, chunk and
 * group ids are made of what they name. A version given up is listed as stale, and the retriever purges it.
 */
export function createIngestStage(deps: IngestDeps): StageHandler<'ingest'> {
  const { registry, metrics } = deps;

  return async function ingest(input, context): Promise<Outcome<'ingest'>> {
    const startedAt = performance.now();
    const plan = planOf(input);
    const count = (outcome: string) =>
      metrics.add('rag_ingest_documents_total', { type: plan.mediaType, outcome });
    if (plan.text.trim() === '') {
      count('rejected');
      return { kind: 'reject', code: 'empty_document', reason: `document ${input.document_id} has no text` };
    }

    const { tenant } = context.job;
    const collection = await registry.ensureCollection({ tenant, name: plan.collection });
    assertModel(collection, deps);
    const limits = chunkLimits(collection, deps);
    const begun = await registry.beginVersion({
      ...plan,
      tenant,
      jobId: context.job.id,
      settingsHash: settingsHash(plan, limits, deps),
      resume: context.job.attempt > 1 || context.job.redelivered > 0,
    });
    const done = (chunkCount: number): Outcome<'ingest'> => ({
      kind: 'done',
      result: {
        document_id: begun.documentId,
        external_id: plan.externalId,
        collection: plan.collection,
        chunk_count: chunkCount,
        processing_time_ms: Math.round(performance.now() - startedAt),
      },
    });
    if (begun.outcome !== 'begun') {
      count(begun.outcome);
      return done(begun.chunks);
    }

    try {
      const built = await buildVersion(plan, limits, begun, context, deps);
      if (built.publication === 'deleted') {
        count('rejected');
        return {
          kind: 'reject',
          code: 'cancelled',
          reason: 'the document was deleted while it was ingested',
        };
      }
      // `lost`: the version was given up meanwhile (an attempt that outlived its deadline). The next try begins another.
      if (built.publication === 'lost')
        throw new Error(`version ${begun.version} is not being built any more`);
      count(built.publication);
      return done(built.chunks);
    } catch (error) {
      const final = finalError(error, context);
      if (final !== null) {
        await registry.failVersion({ tenant, ...begun, error: final });
        count('failed');
      }
      throw error;
    }
  };
}

/**
 * What to note on the document when this run is the last of its job; null when the job will run again.
 * An abort without a passed deadline is a drain (another worker continues this version) or a cancellation.
 */
function finalError(
  error: unknown,
  { job, signal, now }: StageContext,
): { code: string; message: string } | null {
  const message = error instanceof Error ? error.message : String(error);
  if (now() >= job.deadline_at)
    return { code: 'deadline_exceeded', message: 'the deadline passed during the ingest' };
  if (signal.aborted) return null;
  if (error instanceof StageFailure && !error.mayRetry) return { code: error.code, message };
  const code = error instanceof StageFailure ? error.code : 'attempts_exhausted';
  return job.attempt >= stages.ingest.maxAttempts ? { code, message } : null;
}
