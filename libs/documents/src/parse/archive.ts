import { type FileHandle, open } from 'node:fs/promises';
import { crc32, inflateRawSync } from 'node:zlib';
import { StageFailure } from '@vortex/contracts';
import { readAt, readZipDirectory, type ZipEntry } from '../zip-directory.ts';
import { assertWithin, corrupt, type ParseRequest } from './parsed-text.ts';

/**
 * A zip of a document format, unpacked entry by entry and into memory only: a name is a key here, never a path.
 * What entries unpack to is counted while it is inflated; the sizes in the directory are believed only when they
 * are already too large.
 */
export interface Archive {
  names: readonly string[];
  has(name: string): boolean;
  /** @throws StageFailure `corrupt_file` for a missing or damaged entry, `parse_limits_exceeded`, `encrypted_document` */
  read(name: string): Promise<Buffer>;
  /** As text, after a look for entity declarations (a "billion laughs" of them unpacks to gigabytes). */
  readXml(name: string): Promise<string>;
}

/** Opens the file's archive for as long as `use` runs. */
export async function withArchive<R>(
  request: ParseRequest,
  use: (archive: Archive) => Promise<R>,
): Promise<R> {
  const handle = await open(request.file, 'r');
  try {
    return await use(await openArchive(handle, request));
  } finally {
    await handle.close();
  }
}

const maxDirectoryBytes = 64 * 1024 * 1024;
const compoundMark = 'd0cf11e0a1b11ae1';

async function openArchive(handle: FileHandle, { limits, onProgress }: ParseRequest): Promise<Archive> {
  const { size } = await handle.stat();
  if ((await readAt(handle, 0, 8)).toString('hex') === compoundMark) throw lockedDocument();
  const directory = await readZipDirectory(handle, size, maxDirectoryBytes);
  if (directory === null)
    throw corrupt('The archive’s directory is missing: the file was cut off or damaged');
  const { entries } = directory;
  assertWithin(limits, 'maxArchiveEntries', directory.complete ? entries.size : Number.POSITIVE_INFINITY);
  let declared = 0;
  for (const entry of entries.values()) {
    declared += entry.expandedBytes;
    if (/(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^[a-z]:/i.test(entry.name)) {
      throw corrupt(
        `The archive has an entry that leads out of it (${JSON.stringify(entry.name.slice(0, 100))})`,
      );
    }
  }
  assertWithin(limits, 'maxExpandedBytes', declared);

  let expanded = 0;
  let entriesRead = 0;

  async function read(name: string): Promise<Buffer> {
    const entry = entries.get(name);
    if (entry === undefined) throw corrupt(`The part ${name} is missing`);
    if (entry.encrypted) throw lockedDocument();
    const packed = await packedBytes(handle, size, entry);
    const bytes = entry.method === 0 ? packed : inflate(entry, packed, limits.maxExpandedBytes - expanded);
    expanded += bytes?.length ?? 0;
    assertWithin(limits, 'maxExpandedBytes', bytes === null ? Number.POSITIVE_INFINITY : expanded);
    if (bytes === null || crc32(bytes) !== entry.crc32) throw corrupt(`The part ${name} is damaged`);
    entriesRead += 1;
    onProgress(entriesRead, null, 'entries');
    return bytes;
  }

  return {
    names: [...entries.keys()],
    has: (name) => entries.has(name),
    read,
    readXml: async (name) => decodeXml(await read(name), name),
  };
}

async function packedBytes(handle: FileHandle, size: number, entry: ZipEntry): Promise<Buffer> {
  const header = await readAt(handle, entry.headerOffset, entry.headerOffset + 30);
  if (header.length < 30 || header.readUInt32LE(0) !== 0x04034b50)
    throw corrupt(`The part ${entry.name} is not where the archive’s directory says`);
  const start = entry.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (start + entry.compressedBytes > size) throw corrupt(`The part ${entry.name} is cut off`);
  return readAt(handle, start, start + entry.compressedBytes);
}

/** Null when more than `maxBytes` come out. */
function inflate(entry: ZipEntry, packed: Buffer, maxBytes: number): Buffer | null {
  if (entry.method !== 8) throw corrupt(`The part ${entry.name} is compressed in a way no such document is`);
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return null;
    throw corrupt(`The part ${entry.name} is damaged`, error);
  }
}

/** XML in UTF-8 or UTF-16, as the standard demands of every reader. */
function decodeXml(bytes: Buffer, name: string): string {
  const wide = bytes[0] === 0xff || bytes[0] === 0xfe || bytes[0] === 0 || bytes[1] === 0;
  const label = wide ? (bytes[0] === 0xfe || bytes[0] === 0 ? 'utf-16be' : 'utf-16le') : 'utf-8';
  const xml = new TextDecoder(label).decode(bytes);
  if (/<!ENTITY/i.test(xml) || /<!DOCTYPE[^>]*\[/i.test(xml)) {
    throw new StageFailure(
      'parse_limits_exceeded',
      `the part ${name} declares XML entities, which are not expanded; no office program writes any. Save the document anew.`,
    );
  }
  return xml;
}

export function lockedDocument(): StageFailure {
  return new StageFailure(
    'encrypted_document',
    'the document is locked by a password. Remove the password (save it without one) and upload it again.',
  );
}
