import { identifyChunks } from '@vortex/documents';
import type { BegunVersion, Publication } from '@vortex/registry';
import type { StageContext } from '@vortex/runtime';
import type { ChunkLimits, DocumentPlan } from './document-plan.ts';
import type { IngestDeps } from './ingest-deps.ts';

/**
 * Builds a begun version and switches to it: text to the text store, chunks through encoder and store, then
 * one transaction. Whatever was stored by an earlier run of the job is not sent again.
 */
export async function buildVersion(
  plan: DocumentPlan,
  limits: ChunkLimits,
  begun: BegunVersion & { outcome: 'begun' },
  { job, signal, log, timing }: StageContext,
  deps: IngestDeps,
): Promise<{ publication: Publication; chunks: number }> {
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
