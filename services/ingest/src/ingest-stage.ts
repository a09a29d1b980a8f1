import { defaultCollection, type IngestResult, type Outcome } from '@vortex/contracts';
import type { ChunkSettings, ContentStore } from '@vortex/documents';
import type { Metrics } from '@vortex/observability';
import type { Registry } from '@vortex/registry';
import type { StageHandler } from '@vortex/runtime';
import { assertModel, type EncoderModel } from './assert-model.ts';
import { documentOfEnvelope } from './document-of-envelope.ts';
import { countEnd } from './ingest-ends.ts';
import type { Releaser } from './release-waiting.ts';

/**
 * In: a document whose text is in the envelope (the light way in). Out: the same as an upload: an original in its
 * store, rows in the registry, and the job's id, the same, on the upload list, or waiting in the registry for its
 * tenant's turn: then it leaves the queue until it is released. What is visible already, with the
 * same settings, is done at once; what is being built by another job is waited for, so that this one ends when the
 * document can be found. Refused: no text (`empty_document`), a collection of another embedding model
 * (`embedding_mismatch`).
 *
 * Run twice it accepts once: the job's id is the same. Until it has run, the envelope is all there is of the document.
 */
export interface IngestDeps {
  registry: Pick<Registry, 'acceptDocuments' | 'getCollection' | 'getDocument'>;
  originals: Pick<ContentStore, 'put' | 'has'>;
  model: EncoderModel & { maxTokens: number };
  /** Where a collection has none of its own. */
  chunking: ChunkSettings;
  metrics: Metrics;
  releaser: Pick<Releaser, 'letWait'>;
}

/** How often the job that builds the same document is asked for. */
const waitMs = 2000;

export function createIngestStage(deps: IngestDeps): StageHandler<'ingest'> {
  const { registry, originals, model, chunking, metrics, releaser } = deps;

  return async function ingest(input, { job, now }): Promise<Outcome<'ingest'>> {
    const startedAt = now();
    const collection = await registry.getCollection(job.tenant, input.collection ?? defaultCollection);
    const document = documentOfEnvelope(input, collection, chunking, model.maxTokens);
    if (!/\S/.test(input.content.replace('\ufeff', ''))) {
      countEnd(metrics, 'rejected', document);
      return { kind: 'reject', code: 'empty_document', reason: `document ${input.document_id} has no text` };
    }
    assertModel(collection, model);

    const original = Buffer.from(input.content);
    await originals.put(original);
    const accepted = await registry.acceptDocuments([document]);
    const [acceptance] = accepted.outcome === 'conflict' ? [] : accepted.documents;
    if (acceptance === undefined) throw new Error(`the registry answered nothing about job ${job.id}`);
    // Nobody owned it until now, so a cleaner may have had it in between (content-store.ts).
    if (!(await originals.has(document.contentHash))) await originals.put(original);
    if (acceptance.outcome === 'accepted') {
      if (acceptance.isReleased) return { kind: 'forward', to: 'upload', payload: {} };
      const { jobId } = acceptance;
      return { kind: 'leave', onLeft: () => void releaser.letWait(job.tenant, [jobId]) };
    }

    const present = await registry.getDocument(job.tenant, acceptance.documentId);
    if (present === null || present.version < acceptance.version) {
      const reason = `the same document is being built by job ${acceptance.jobId}`;
      return { kind: 'later', afterMs: waitMs, reason };
    }
    countEnd(metrics, 'unchanged', document);
    return {
      kind: 'done',
      result: {
        document_id: acceptance.documentId,
        external_id: document.externalId,
        collection: document.collection,
        chunk_count: present.chunks,
        processing_time_ms: now() - startedAt,
      } satisfies IngestResult,
    };
  };
}
