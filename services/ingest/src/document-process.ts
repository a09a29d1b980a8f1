import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type FailureCode, StageFailure, visibleText } from '@vortex/contracts';
import { chunkPieces, type ParsedText, type ParseLimits, type Piece, parseDocument } from '@vortex/documents';
import { loadTokenizer } from '@vortex/embedding';
import type { DocumentRequest, ReadProgress, ReadRequest, ShortDocument } from './document-reader.ts';
import { type ReadResult, readFiles, readKey } from './finished-read.ts';

/**
 * What runs in the child: parsers, chunker and the encoder's tokenizer, one document at a time. It trusts no file and
 * is trusted with nothing: its parent watches memory and clock, and ends it from outside.
 */
export interface ReadTask {
  id: number;
  /** Without `outDir` the answer is the document itself. */
  request: DocumentRequest | ReadRequest;
  limits: ParseLimits;
}

export type ReadReply =
  | { kind: 'ready' }
  | { kind: 'progress'; id: number; progress: ReadProgress }
  | { kind: 'read'; id: number; result: ReadResult }
  | { kind: 'short'; id: number; document: ShortDocument }
  | { kind: 'failed'; id: number; code: FailureCode | null; message: string };

const [model, modelsDir] = process.argv.slice(2);
const reply = (message: ReadReply) => process.send?.(message);
if (model === undefined || modelsDir === undefined || process.send === undefined) {
  throw new Error('document-process.ts is started by process-reader.ts, with a model and its folder');
}

// Ctrl-C reaches every process of the terminal; the parent decides when this one ends. When it is gone, so are we.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit(0));

const tokenizer = await loadTokenizer({ model, modelsDir });

process.on('message', async (task: ReadTask) => {
  try {
    reply(await read(task));
  } catch (error) {
    const code = error instanceof StageFailure ? error.code : null;
    reply({
      kind: 'failed',
      id: task.id,
      code,
      message: error instanceof Error ? error.message : String(error),
    });
  }
});
reply({ kind: 'ready' });

async function read({ id, request, limits }: ReadTask): Promise<ReadReply> {
  const tell = throttled((progress) => reply({ kind: 'progress', id, progress }));
  const { file, mediaType } = request;
  const parsed = await parseDocument({
    file,
    mediaType,
    limits,
    onProgress: (done, total, unit) => tell({ stage: 'parse', done, total, unit }),
  });
  if ('outDir' in request) return { kind: 'read', id, result: await writeRead(request, parsed, tell) };
  return { kind: 'short', id, document: shortDocument(request, parsed) };
}

function shortDocument(request: DocumentRequest, parsed: ParsedText): ShortDocument {
  const textBytes = Buffer.from(parsed.text, 'utf8');
  const allPieces = [...piecesOf(request, parsed)];
  return {
    textHash: createHash('sha256').update(textBytes).digest('hex'),
    ...factsOf(parsed),
    pieces: allPieces.length,
    tokens: allPieces.reduce((sum, { tokens }) => sum + tokens, 0),
    textBytes,
    allPieces,
  };
}

function piecesOf({ title, chunking }: DocumentRequest, parsed: ParsedText): Iterable<Piece> {
  const { text, mediaType, pages } = parsed;
  const countTokens = (part: string) => tokenizer.countTokens(part);
  return chunkPieces(
    { text, mediaType, title: visibleText(title ?? ''), pages },
    { ...chunking, countTokens },
  );
}

function factsOf({ text, pages, title }: ParsedText) {
  return { characters: text.length, pages: pages?.length ?? null, title };
}

async function writeRead(
  request: ReadRequest,
  parsed: ParsedText,
  tell: (progress: ReadProgress) => void,
): Promise<ReadResult> {
  mkdirSync(request.outDir, { recursive: true });
  const textHash = writeText(join(request.outDir, readFiles.text), parsed.text);
  const { pieces, tokens, piecesHash } = await writePieces(request, parsed, (done) =>
    tell({ stage: 'chunk', done, total: parsed.text.length, unit: 'characters' }),
  );
  const result: ReadResult = {
    key: readKey(request),
    textHash,
    piecesHash,
    ...factsOf(parsed),
    pieces,
    tokens,
  };
  finish(request.outDir, result);
  return result;
}

const writtenCharacters = 4 * 1024 * 1024;

/** In parts, because a second copy of the text as bytes would be another 200 MB. Resolves with the bytes' SHA-256. */
function writeText(file: string, text: string): string {
  const hash = createHash('sha256');
  withSyncedFile(file, (handle) => {
    for (let at = 0; at < text.length; ) {
      let end = Math.min(text.length, at + writtenCharacters);
      const last = text.charCodeAt(end - 1);
      if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
      const bytes = Buffer.from(text.slice(at, end), 'utf8');
      hash.update(bytes);
      writeFully(handle, bytes);
      at = end;
    }
  });
  return hash.digest('hex');
}

const bufferedCharacters = 1024 * 1024;
const turnMs = 100;

async function writePieces(
  request: ReadRequest,
  parsed: ParsedText,
  onProgress: (done: number) => void,
): Promise<{ pieces: number; tokens: number; piecesHash: string }> {
  const handle = openSync(join(request.outDir, readFiles.pieces), 'w');
  const hash = createHash('sha256');
  const write = (some: string) => {
    const bytes = Buffer.from(some, 'utf8');
    hash.update(bytes);
    writeFully(handle, bytes);
  };
  let pieces = 0;
  let tokens = 0;
  let lines = '';
  let turnedAt = performance.now();
  try {
    for (const piece of piecesOf(request, parsed)) {
      lines += `${JSON.stringify(piece)}\n`;
      pieces += 1;
      tokens += piece.tokens;
      if (lines.length > bufferedCharacters) {
        write(lines);
        lines = '';
      }
      if (performance.now() - turnedAt < turnMs) continue;
      onProgress(piece.source_span[1]);
      // Lets the message out, and a parent that has gone be noticed.
      await turn();
      turnedAt = performance.now();
    }
    write(lines);
  } finally {
    closeSync(handle);
  }
  return { pieces, tokens, piecesHash: hash.digest('hex') };
}

/**
 * The name appears when the other files are written. They are not synced here, but for the text, which goes to the
 * store of texts: four calls of `fsync` a document were most of what a small one cost. Whoever finds the result
 * after a power cut goes by its hashes (finished-read.ts).
 */
function finish(outDir: string, result: ReadResult): void {
  const file = join(outDir, readFiles.result);
  writeFileSync(`${file}.new`, JSON.stringify(result));
  renameSync(`${file}.new`, file);
}

function withSyncedFile(file: string, write: (handle: number) => void): void {
  const handle = openSync(file, 'w');
  try {
    write(handle);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function writeFully(handle: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
}

/** Ten reports a second at most, of a stage's beginning and end always one. */
function throttled(tell: (progress: ReadProgress) => void): (progress: ReadProgress) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  let stage: string | null = null;
  return (progress) => {
    const now = performance.now();
    const isDone = progress.total !== null && progress.done >= progress.total;
    if (now - toldAt < turnMs && progress.stage === stage && !isDone) return;
    toldAt = now;
    stage = progress.stage;
    tell(progress);
  };
}
