import { copyFile, link, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DocumentJobPayload, StageFailure } from '@vortex/contracts';
import type { ContentStore } from '@vortex/documents';
import type { Registry } from '@vortex/registry';
import type { DocumentReader, ReadDocument, ReadProgress } from './document-reader.ts';

/** A read document, and what it is called where it is shown. */
export interface ReadVersion extends ReadDocument {
  shownTitle: string;
}

/**
 * From the original to text and pieces: reads it into `folder` (or finds it read there), puts its text into the text
 * store and notes both in the registry.
 * @throws StageFailure `original_missing`, and those of `DocumentReader.read`; AbortError.
 */
export async function readOriginal(
  version: { tenant: string; documentId: string; version: number; payload: DocumentJobPayload },
  folder: string,
  hooks: { signal: AbortSignal; onProgress: (progress: ReadProgress) => void },
  deps: {
    reader: Pick<DocumentReader, 'read'>;
    originals: Pick<ContentStore, 'has' | 'pathOf'>;
    texts: Pick<ContentStore, 'has' | 'adopt'>;
    registry: Pick<Registry, 'noteParsed'>;
  },
): Promise<ReadVersion> {
  const { reader, originals, texts, registry } = deps;
  const { payload, ...named } = version;
  const request = {
    file: originals.pathOf(payload.content_hash),
    mediaType: payload.media_type,
    filename: payload.filename,
    title: payload.title,
    chunking: {
      strategy: payload.chunking_strategy,
      maxTokens: payload.chunk_size,
      overlapTokens: payload.chunk_overlap,
    },
    outDir: folder,
  };
  const missing = async () => !(await originals.has(payload.content_hash));
  if (await missing()) throw originalMissing(payload);
  const read = await reader.read(request, hooks).catch(async (error: unknown) => {
    throw (await missing()) ? originalMissing(payload) : error;
  });
  await storeText(read, folder, texts);
  await registry.noteParsed({
    ...named,
    textHash: read.textHash,
    pages: read.pages,
    chunks: read.pieces,
    tokens: read.tokens,
    title: read.title,
    mediaType: payload.media_type,
  });
  // Nobody owned the text until a moment ago, so a cleaner may have had it (content-store.ts).
  await storeText(read, folder, texts);
  return { ...read, shownTitle: payload.title ?? read.title ?? payload.external_id };
}

/** The store takes files over; a link keeps ours, for whoever takes this job over, at no cost in space. */
async function storeText(
  { textFile, textHash }: ReadDocument,
  folder: string,
  texts: Pick<ContentStore, 'has' | 'adopt'>,
): Promise<void> {
  if (await texts.has(textHash)) return;
  const second = join(folder, `.text-${process.pid}-${Date.now()}`);
  await rm(second, { force: true });
  await link(textFile, second).catch(() => copyFile(textFile, second));
  await texts.adopt(second, textHash);
}

function originalMissing({ content_hash: hash }: DocumentJobPayload): StageFailure {
  const advice = 'restore the originals of the data folder from a backup, or upload the document again';
  return new StageFailure('original_missing', `the original ${hash} is no longer stored; ${advice}`);
}
