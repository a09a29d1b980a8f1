import { createHash } from 'node:crypto';
import { defaultCollection, type IngestInput, type Outcome, StageFailure, stages } from '@vortex/contracts';
import { extractText, firstHeading, identifyChunks, mediaTypeOf, type TextStore } from '@vortex/documents';
import type { Metrics } from '@vortex/observability';
import { assertBound, type BegunVersion, type Collection, type Registry } from '@vortex/registry';
import type { StageContext, StageHandler } from '@vortex/runtime';
import type { Chunker } from './process-chunker.ts';
import type { GroupSender } from './send-groups.ts';

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
export interface IngestDeps {
  registry: Pick<
    Registry,
    | 'ensureCollection'
    | 'beginVersion'
    | 'versionState'
    | 'storedGroups'
    | 'noteStoredGroup'
    | 'publishVersion'
    | 'failVersion'
  >;
  texts: TextStore;
  chunker: Chunker;
  groups: GroupSender;
  /** The encoder's model: what it takes at most, and what the collection must have been built with. */
  model: { fingerprint: string; dimension: number; maxTokens: number };
  settings: { chunkSize: number; chunkOverlap: number; groupSize: number };
  metrics: Metrics;
}

/** Goes up when the chunker cuts the same text differently: what is visible is then built anew. */
const chunkerEdition = 1;

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

interface DocumentPlan {
  externalId: string;
  collection: string;
  /** Shown with hits and citations: the caller's, else the first heading, else the caller's id. */
  title: string;
  /** What is embedded in front of each chunk: a title somebody gave. A heading stands in the path anyway. */
  givenTitle: string;
  mediaType: 'text/plain' | 'text/markdown';
  metadata: Record<string, unknown>;
  content: string;
  contentHash: string;
  text: string;
}

function planOf(input: IngestInput): DocumentPlan {
  const { content, document_id: externalId, title, user_id: userId } = input;
  const text = extractText(content);
  const mediaType = mediaTypeOf({
    ...(input.media_type !== undefined && { mediaType: input.media_type }),
    names: title === undefined ? [externalId] : [externalId, title],
    text,
  });
  const heading = mediaType === 'text/markdown' ? firstHeading(text) : null;
  return {
    externalId,
    collection: input.collection ?? defaultCollection,
    title: title ?? heading ?? externalId,
    givenTitle: title ?? '',
    mediaType,
    metadata: userId === undefined ? {} : { user_id: userId },
    content,
    contentHash: createHash('sha256').update(content).digest('hex'),
    text,
  };
}

interface ChunkLimits {
  maxTokens: number;
  overlapTokens: number;
}

function chunkLimits(collection: Collection, { model, settings }: IngestDeps): ChunkLimits {
  const maxTokens = Math.min(collection.chunkSize ?? settings.chunkSize, model.maxTokens);
  return {
    maxTokens,
    overlapTokens: Math.min(collection.chunkOverlap ?? settings.chunkOverlap, Math.floor(maxTokens / 2)),
  };
}

/** Everything beside the content that shapes what is stored. */
function settingsHash(plan: DocumentPlan, limits: ChunkLimits, { model, settings }: IngestDeps): string {
  const { title, givenTitle, mediaType, metadata } = plan;
  const shaping = [
    chunkerEdition,
    title,
    givenTitle,
    mediaType,
    metadata,
    limits,
    model.fingerprint,
    settings.groupSize,
  ];
  return createHash('sha256').update(JSON.stringify(shaping)).digest('hex');
}

/** Before any work: the store would refuse the first group anyway (it binds the collection to its model). */
function assertModel(collection: Collection, { model }: IngestDeps): void {
  if (collection.embeddingModel === null || collection.dimension === null) return;
  const { fingerprint: embeddingModel, dimension } = model;
  const stored = { embeddingModel: collection.embeddingModel, dimension: collection.dimension };
  const asked = { tenant: collection.tenant, collection: collection.name, embeddingModel, dimension };
  const same = stored.embeddingModel === embeddingModel && stored.dimension === dimension;
  assertBound(asked, same ? { outcome: 'unchanged' } : { outcome: 'mismatch', stored });
}

async function buildVersion(
  plan: DocumentPlan,
  limits: ChunkLimits,
  begun: BegunVersion & { outcome: 'begun' },
  { job, signal, log, timing }: StageContext,
  deps: IngestDeps,
) {
  const { registry, texts, chunker, groups, metrics } = deps;
  const { tenant } = job;
  const { documentId, version } = begun;
  const chunkingSince = performance.now();
  const source = { text: plan.text, mediaType: plan.mediaType, title: plan.givenTitle };
  const [textHash, pieces] = await Promise.all([
    texts.put(plan.text),
    chunker.chunk({ source, ...limits }, signal),
  ]);
  timing('chunk', performance.now() - chunkingSince);

  const chunks = identifyChunks(pieces, begun);
  const stored = begun.resumed ? await registry.storedGroups(tenant, documentId, version) : [];
  if (stored.length > 0) log.info({ document_id: documentId, version, groups: stored.length }, 'resuming');
  let truncated = 0;
  const sent = await groups.send(
    { job, collection: plan.collection, documentId, version, title: plan.title, chunks, stored },
    {
      signal,
      async onStored(group, result) {
        truncated += result.truncated;
        metrics.add('rag_ingest_chunks_total', { type: plan.mediaType }, group.chunks);
        await registry.noteStoredGroup({ tenant, documentId, version, ...group });
      },
    },
  );
  if (truncated > 0)
    log.warn({ document_id: documentId, truncated }, 'the encoder cut chunks that were too long');
  signal.throwIfAborted();
  // A version that was overtaken or deleted is nothing to publish, which `publishVersion` then says.
  if (sent === 'dropped' && (await registry.versionState(tenant, documentId, version)) === 'building') {
    throw new Error(
      `the store dropped chunks of version ${version} of ${documentId}, which is still being built`,
    );
  }

  const bytes = Buffer.byteLength(plan.content);
  const tokens = chunks.reduce((sum, chunk) => sum + chunk.tokens, 0);
  const publication = await registry.publishVersion({
    ...{ tenant, documentId, version, textHash, bytes, tokens },
    chunks: chunks.length,
  });
  if (publication === 'published') metrics.add('rag_ingest_bytes_total', { type: plan.mediaType }, bytes);
  return { publication, chunks: chunks.length };
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
