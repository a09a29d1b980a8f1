import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chunkText, firstHeading, type Piece } from '@vortex/documents';
import type {
  DocumentReader,
  DocumentRequest,
  ReadDocument,
  ReadHooks,
  ReadPieces,
  ShortDocument,
} from '../src/document-reader.ts';

/**
 * Keeps the promises of the real reader for plain text and Markdown, in this process and with words for tokens: what
 * happens around reading is tested with it, where a test must be able to stop in the middle of it.
 */
export function createPlainReader(hooks: {
  beforeRead(signal: AbortSignal, file: string): Promise<void>;
}): DocumentReader & {
  parsed: string[];
} {
  const parsed: string[] = [];

  async function readText(
    request: DocumentRequest,
    { signal, onProgress }: ReadHooks,
  ): Promise<ShortDocument> {
    await hooks.beforeRead(signal, request.file);
    signal.throwIfAborted();
    parsed.push(request.file);
    const text = (await readFile(request.file, 'utf8')).replace(/^\ufeff/, '');
    onProgress({ stage: 'parse', done: text.length, total: text.length, unit: 'bytes' });
    const allPieces = chunkText(
      {
        text,
        mediaType: request.mediaType === 'text/markdown' ? 'text/markdown' : 'text/plain',
        title: request.title ?? '',
      },
      { ...request.chunking, countTokens: (part) => part.split(/\s+/).filter(Boolean).length },
    );
    onProgress({ stage: 'chunk', done: text.length, total: text.length, unit: 'characters' });
    return {
      textHash: createHash('sha256').update(text).digest('hex'),
      characters: text.length,
      pages: null,
      title: firstHeading(text),
      pieces: allPieces.length,
      tokens: allPieces.reduce((sum, piece) => sum + piece.tokens, 0),
      textBytes: Buffer.from(text),
      allPieces,
    };
  }

  return {
    parsed,
    readShort: readText,
    async read(request, hooks) {
      const result = join(request.outDir, 'read.json');
      if (existsSync(result)) return JSON.parse(await readFile(result, 'utf8')) as ReadDocument;
      await mkdir(request.outDir, { recursive: true });
      const { textBytes, allPieces, ...facts } = await readText(request, hooks);
      const read: ReadDocument = {
        ...facts,
        textFile: join(request.outDir, 'text'),
        piecesFile: join(request.outDir, 'pieces'),
      };
      await writeFile(read.textFile, textBytes);
      await writeFile(read.piecesFile, allPieces.map((piece) => `${JSON.stringify(piece)}\n`).join(''));
      await writeFile(`${result}.new`, JSON.stringify(read));
      await rename(`${result}.new`, result);
      return read;
    },
    warmUp: async () => undefined,
    close: async () => undefined,
  };
}

export const readPlainPieces: ReadPieces = async function* (file, from = 0) {
  let ordinal = 0;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (ordinal >= from) yield JSON.parse(line) as Piece;
    ordinal += 1;
  }
};
