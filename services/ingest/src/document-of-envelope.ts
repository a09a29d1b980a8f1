import { createHash } from 'node:crypto';
import { type DocumentJobPayload, defaultCollection, type IngestInput, stages } from '@vortex/contracts';
import { type ChunkSettings, chunkSettings, mediaTypeOf, settingsHash } from '@vortex/documents';
import type { Collection, NewDocument } from '@vortex/registry';

/** A document whose text came in its envelope, as it is accepted: what is not said is filled in. */
export function documentOfEnvelope(
  input: IngestInput,
  collection: Collection | null,
  configured: ChunkSettings,
  encoderMaxTokens: number,
): NewDocument {
  const { content, document_id: externalId, user_id: userId } = input;
  // Of one that nobody sees nothing is left.
  const title = input.title || null;
  const mediaType = mediaTypeOf({
    ...(input.media_type !== undefined && { mediaType: input.media_type }),
    names: title === null ? [externalId] : [externalId, title],
    text: content,
  });
  const metadata = userId === undefined ? {} : { user_id: userId };
  const { settings: chunking } = chunkSettings({}, collection, configured, encoderMaxTokens);
  const name = input.collection ?? defaultCollection;
  const contentHash = createHash('sha256').update(content).digest('hex');
  const bytes = Buffer.byteLength(content);
  const payload: DocumentJobPayload = {
    collection: name,
    external_id: externalId,
    filename: null,
    title,
    media_type: mediaType,
    content_hash: contentHash,
    bytes,
    metadata,
    chunk_size: chunking.maxTokens,
    chunk_overlap: chunking.overlapTokens,
    chunking_strategy: chunking.strategy,
    ...(input.enqueued_at !== undefined && { accepted_at: input.enqueued_at }),
  };
  return {
    tenant: input.tenant,
    collection: name,
    externalId,
    filename: null,
    title,
    mediaType,
    metadata,
    contentHash,
    settingsHash: settingsHash({ mediaType, title, metadata, chunking }),
    bytes,
    ifExists: 'replace',
    job: {
      id: input.id,
      type: 'ingest',
      payload,
      maxRetries: stages.upload.maxAttempts - 1,
      webhookUrl: null,
      traceparent: input.traceparent ?? null,
    },
  };
}
