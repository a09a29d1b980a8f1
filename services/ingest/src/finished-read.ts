import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { documentEdition } from '@vortex/documents';
import { z } from 'zod';
import type { ReadDocument, ReadRequest } from './document-reader.ts';

/** The files of a read document; `result.json` is written last, so that where it stands the others are whole. */
export const readFiles = { text: 'text.txt', pieces: 'pieces.ndjson', result: 'result.json' } as const;

export const readResult = z.object({
  /** What it was read for: the same folder asked with other settings is read anew. */
  key: z.string(),
  textHash: z.string(),
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
  const result = readResult.parse(JSON.parse(content));
  return result.key === readKey(request) ? asReadDocument(request.outDir, result) : null;
}

export function asReadDocument(outDir: string, { key: _, ...result }: ReadResult): ReadDocument {
  return { ...result, textFile: join(outDir, readFiles.text), piecesFile: join(outDir, readFiles.pieces) };
}
