import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { collectYoung } from './collect-young.ts';

/**
 * How much may be written before the disk is asked to keep it, in the background. The sync at the end, which the
 * client waits for, then has at most twice that to write: at 200 MB, 10 ms instead of as long as the disk takes.
 */
const syncEveryBytes = 4 * 1024 * 1024;

/**
 * A small file is held instead: writing it under a name that it soon loses, syncing, and reading it to see what it is
 * took as long as all else the gateway does for it.
 */
const heldBytes = 32 * 1024;

/** A file that has arrived whole. */
export type ArrivedFile = {
  /** SHA-256, hex. */
  hash: string;
  bytes: number;
} & (
  | { kind: 'held'; content: Buffer }
  /** Synced, under a random name. */
  | { kind: 'written'; path: string }
);

/**
 * Takes a stream: holds what is small, writes anything else into `folder` while hashing it, one piece at a time.
 * @throws what the stream or the disk throws; the file is gone then.
 */
export async function receiveFile(folder: string, pieces: AsyncIterable<Buffer>): Promise<ArrivedFile> {
  const source = pieces[Symbol.asyncIterator]();
  const held: Buffer[] = [];
  for (let bytes = 0; bytes <= heldBytes; ) {
    const { done, value } = await source.next();
    if (done) {
      const content = Buffer.concat(held);
      return { kind: 'held', content, bytes, hash: createHash('sha256').update(content).digest('hex') };
    }
    held.push(value);
    bytes += value.length;
  }
  return writeIncoming(folder, heldThen(held, source));
}

async function* heldThen(held: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* held;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function writeIncoming(folder: string, pieces: AsyncIterable<Buffer>): Promise<ArrivedFile> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, randomBytes(16).toString('hex'));
  const handle = await open(path, 'wx', 0o600);
  try {
    const arrived = await writePieces(handle, pieces);
    return { kind: 'written', path, ...arrived };
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

async function writePieces(
  handle: FileHandle,
  pieces: AsyncIterable<Buffer>,
): Promise<{ hash: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  let unsynced = 0;
  let sync: Promise<void> | undefined;
  let failure: unknown;
  for await (const piece of pieces) {
    hash.update(piece);
    await writeWhole(handle, piece);
    bytes += piece.length;
    unsynced += piece.length;
    if (unsynced < syncEveryBytes) continue;
    // A disk slower than the sender holds the sender back here, not at the end.
    await sync;
    if (failure !== undefined) throw failure;
    unsynced = 0;
    collectYoung();
    sync = handle.datasync().catch((error: unknown) => {
      failure = error;
    });
  }
  await sync;
  if (failure !== undefined) throw failure;
  await handle.sync();
  return { hash: hash.digest('hex'), bytes };
}

async function writeWhole(handle: FileHandle, piece: Buffer): Promise<void> {
  let written = 0;
  while (written < piece.length) {
    written += (await handle.write(piece, written)).bytesWritten;
  }
}
