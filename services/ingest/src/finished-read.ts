import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { documentEdition } from '@vortex/documents';
import { z } from 'zod';
import type { ReadDocument, ReadRequest } from './document-reader.ts';

/**
 * The files of a read document; `result.json` is written last, so that where it stands the others are whole, unless
 * the power was cut: then what their hashes do not fit is read anew.
 */
export const readFiles = { text: 'text.txt', pieces: 'pieces.ndjson', result: 'result.json' } as const;

export const readResult = z.object({
  /** What it was read for: the same folder asked with other settings is read anew. */
  key: z.string(),
  textHash: z.string(),
  piecesHash: z.string(),
  characters: z.int(),
  pages: z.int().nullable(),
  title: z.string().nullable(),
  pieces: z.int(),
  tokens: z.int(),
});
export type ReadResult = z.infer<typeof readResult>;

export function readKey({ file, mediaType, title, chunking }: ReadRequest): string {
  const { strategy, maxTokens, overlapTokens } = chunking;
  const parts = [documentEdition, file, mediaType, title, strategy, maxTokens, overlapTokens];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** What an earlier read of the same request has left; null when there is nothing finished. */
export async function finishedRead(request: ReadRequest): Promise<ReadDocument | null> {
  let content: string;
  try {
    content = await readFile(join(request.outDir, readFiles.result), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  const result = parsed(content);
  if (result === null || result.key !== readKey(request)) return null;
  const document = asReadDocument(request.outDir, result);
  const isWhole =
    (await hashOf(document.textFile)) === result.textHash &&
    (await hashOf(document.piecesFile)) === result.piecesHash;
  return isWhole ? document : null;
}

/** Null: cut off by a power cut, or written by another version. */
function parsed(content: string): ReadResult | null {
  try {
    return readResult.parse(JSON.parse(content));
  } catch {
    return null;
  }
}

async function hashOf(file: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  return hash.digest('hex');
}

export function asReadDocument(
  outDir: string,
  { key: _key, piecesHash: _hash, ...result }: ReadResult,
): ReadDocument {
  return { ...result, textFile: join(outDir, readFiles.text), piecesFile: join(outDir, readFiles.pieces) };
}
