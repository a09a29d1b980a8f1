import { createHash } from 'node:crypto';
import { defaultCollection, type IngestInput } from '@vortex/contracts';
import { extractText, firstHeading, mediaTypeOf, type TextMediaType } from '@vortex/documents';
import { assertBound, type Collection } from '@vortex/registry';
import type { IngestDeps } from './ingest-deps.ts';

/** Goes up when the chunker cuts the same text differently: what is visible is then built anew. */
const chunkerEdition = 1;

/** What an envelope asks for, with what is missing filled in. */
export interface DocumentPlan {
  externalId: string;
  collection: string;
  /** Shown with hits and citations: the caller's, else the first heading, else the caller's id. */
  title: string;
  /** What is embedded in front of each chunk: a title somebody gave. A heading stands in the path anyway. */
  givenTitle: string;
  mediaType: TextMediaType;
  metadata: Record<string, unknown>;
  content: string;
  contentHash: string;
  text: string;
}

export function planOf(input: IngestInput): DocumentPlan {
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

export interface ChunkLimits {
  maxTokens: number;
  overlapTokens: number;
}

export function chunkLimits(collection: Collection, { model, settings }: IngestDeps): ChunkLimits {
  const maxTokens = Math.min(collection.chunkSize ?? settings.chunkSize, model.maxTokens);
  return {
    maxTokens,
    overlapTokens: Math.min(collection.chunkOverlap ?? settings.chunkOverlap, Math.floor(maxTokens / 2)),
  };
}

/** Everything beside the content that shapes what is stored. */
export function settingsHash(
  plan: DocumentPlan,
  limits: ChunkLimits,
  { model, settings }: IngestDeps,
): string {
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
export function assertModel(collection: Collection, { model }: IngestDeps): void {
  if (collection.embeddingModel === null || collection.dimension === null) return;
  const { fingerprint: embeddingModel, dimension } = model;
  const stored = { embeddingModel: collection.embeddingModel, dimension: collection.dimension };
  const asked = { tenant: collection.tenant, collection: collection.name, embeddingModel, dimension };
  const same = stored.embeddingModel === embeddingModel && stored.dimension === dimension;
  assertBound(asked, same ? { outcome: 'unchanged' } : { outcome: 'mismatch', stored });
}
