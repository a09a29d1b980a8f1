import { copyFile, link, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DocumentJobPayload, StageFailure, visibleText } from '@vortex/contracts';
import type { ContentStore, Piece } from '@vortex/documents';
import type { Registry } from '@vortex/registry';
import type {
  DocumentReader,
  DocumentRequest,
  ReadDocument,
  ReadFacts,
  ReadHooks,
  ReadPieces,
} from './document-reader.ts';

/** A read document, and what it is called where it is shown. */
export interface ReadVersion extends ReadFacts {
  shownTitle: string;
  /** The pieces from an ordinal on. */
  piecesFrom(ordinal: number): AsyncIterable<Piece>;
}

type Contents = Pick<ContentStore, 'has' | 'adopt' | 'put'>;

interface ReadDeps {
  reader: Pick<DocumentReader, 'read' | 'readShort'>;
  readPieces: ReadPieces;
  originals: Pick<ContentStore, 'has' | 'pathOf'>;
  texts: Contents;
  registry: Pick<Registry, 'noteParsed'>;
}

/** A document that was read, wherever it lies. */
interface Held {
  facts: ReadFacts;
  piecesFrom(ordinal: number): AsyncIterable<Piece>;
  /** Puts the text into the text store, unless it is there. */
  storeText(): Promise<void>;
}

/**
 * From the original to text and pieces: reads it into `folder` (or finds it read there; null: in memory), puts its
 * text into the text store and notes both in the registry.
 * @throws StageFailure `original_missing`, and those of `DocumentReader.read`; AbortError.
 */
export async function readOriginal(
  version: { tenant: string; documentId: string; version: number; payload: DocumentJobPayload },
  folder: string | null,
  hooks: ReadHooks,
  deps: ReadDeps,
): Promise<ReadVersion> {
  const { originals, registry } = deps;
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
  };
  const missing = async () => !(await originals.has(payload.content_hash));
  // What was read into a folder needs no original, so it is asked for before.
  if (folder !== null && (await missing())) throw originalMissing(payload);
  const reading = folder === null ? readInMemory(request, hooks, deps) : readTo(folder, request, hooks, deps);
  const { facts, piecesFrom, storeText } = await reading.catch(async (error: unknown) => {
    throw (await missing()) ? originalMissing(payload) : error;
  });
  const { textHash, pages, pieces: chunks, tokens, title } = facts;
  await storeText();
  await registry.noteParsed({
    ...{ ...named, textHash, pages, chunks, tokens, title },
    mediaType: payload.media_type,
  });
  // Nobody owned the text until a moment ago, so a cleaner may have had it (content-store.ts).
  await storeText();
  const given = payload.title === null ? '' : visibleText(payload.title).trim();
  return { ...facts, shownTitle: given || (title ?? payload.external_id), piecesFrom };
}

async function readInMemory(
  request: DocumentRequest,
  hooks: ReadHooks,
  { reader, texts }: ReadDeps,
): Promise<Held> {
  const { textBytes, allPieces, ...facts } = await reader.readShort(request, hooks);
  return {
    facts,
    async *piecesFrom(ordinal) {
      yield* allPieces.slice(ordinal);
    },
    async storeText() {
      if (!(await texts.has(facts.textHash))) await texts.put(textBytes);
    },
  };
}

async function readTo(
  folder: string,
  request: DocumentRequest,
  hooks: ReadHooks,
  { reader, readPieces, texts }: ReadDeps,
): Promise<Held> {
  const { textFile, piecesFile, ...facts } = await reader.read({ ...request, outDir: folder }, hooks);
  return {
    facts,
    piecesFrom: (ordinal) => readPieces(piecesFile, ordinal),
    storeText: () => storeTextFile({ textFile, textHash: facts.textHash }, folder, texts),
  };
}

/** The store takes files over; a link keeps ours, for whoever takes this job over, at no cost in space. */
async function storeTextFile(
  { textFile, textHash }: Pick<ReadDocument, 'textFile' | 'textHash'>,
  folder: string,
  texts: Contents,
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
