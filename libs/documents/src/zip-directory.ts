import type { FileHandle } from 'node:fs/promises';

/**
 * The directory at a zip's end, read without unpacking anything: enough to tell a DOCX from an EPUB from a cut-off
 * file. Format: PKWARE APPNOTE 6.3.10, sections 4.3.12 to 4.3.16. Sizes in it are only what the file claims;
 * whoever unpacks counts for himself.
 */
export interface ZipEntry {
  name: string;
  method: number;
  compressedBytes: number;
  expandedBytes: number;
  crc32: number;
  headerOffset: number;
  encrypted: boolean;
}

/** A file, on disk or in memory. */
export type ByteSource = FileHandle | Buffer;

export interface ZipDirectory {
  /** As many as stand in the part of the directory that was read. */
  entries: Map<string, ZipEntry>;
  /** All entries have been seen. */
  complete: boolean;
}

/** Some 40,000 entries; a look from the gateway needs no more. */
const glanceBytes = 4 * 1024 * 1024;
const endRecordBytes = 22;
const longestComment = 65_535;

/** Null when the directory is not there or leads outside of the file: the archive is cut off or damaged. */
export async function readZipDirectory(
  file: ByteSource,
  bytes: number,
  maxDirectoryBytes = glanceBytes,
): Promise<ZipDirectory | null> {
  const tail = await readAt(file, Math.max(0, bytes - endRecordBytes - longestComment), bytes);
  const tailStart = bytes - tail.length;
  for (let at = tail.length - endRecordBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== 0x06054b50) continue;
    let size = tail.readUInt32LE(at + 12);
    let start = tail.readUInt32LE(at + 16);
    let count = tail.readUInt16LE(at + 10);
    if (start === 0xffffffff || size === 0xffffffff || count === 0xffff) {
      const long = await readZip64End(file, tailStart + at);
      if (long !== null) ({ size, start, count } = long);
    }
    if (start + size > tailStart + at) return null;
    const directory = await readAt(file, start, Math.min(start + size, start + maxDirectoryBytes));
    const entries = entriesOf(directory);
    return entries === null ? null : { entries, complete: size <= maxDirectoryBytes };
  }
  return null;
}

async function readZip64End(
  file: ByteSource,
  endRecord: number,
): Promise<{ size: number; start: number; count: number } | null> {
  const locator = await readAt(file, Math.max(0, endRecord - 20), endRecord);
  if (locator.length < 20 || locator.readUInt32LE(0) !== 0x07064b50) return null;
  const position = Number(locator.readBigUInt64LE(8));
  if (!(position < endRecord)) return null;
  const record = await readAt(file, position, position + 56);
  if (record.length < 56 || record.readUInt32LE(0) !== 0x06064b50) return null;
  return {
    count: Number(record.readBigUInt64LE(32)),
    size: Number(record.readBigUInt64LE(40)),
    start: Number(record.readBigUInt64LE(48)),
  };
}

function entriesOf(directory: Buffer): Map<string, ZipEntry> | null {
  const entries = new Map<string, ZipEntry>();
  for (let at = 0; at + 46 <= directory.length; ) {
    if (directory.readUInt32LE(at) !== 0x02014b50) return null;
    const nameBytes = directory.readUInt16LE(at + 28);
    const next = at + 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
    const extra = directory.subarray(
      at + 46 + nameBytes,
      at + 46 + nameBytes + directory.readUInt16LE(at + 30),
    );
    entries.set(name, {
      name,
      method: directory.readUInt16LE(at + 10),
      crc32: directory.readUInt32LE(at + 16),
      encrypted: (directory.readUInt16LE(at + 8) & 1) === 1,
      ...longFields(extra, {
        expandedBytes: directory.readUInt32LE(at + 24),
        compressedBytes: directory.readUInt32LE(at + 20),
        headerOffset: directory.readUInt32LE(at + 42),
      }),
    });
    at = next;
  }
  return entries;
}

/** Fields that are full of ones stand in the extra field instead, in this order, whether they need it or not. */
function longFields<F extends Record<string, number>>(extra: Buffer, fields: F): F {
  if (!Object.values(fields).includes(0xffffffff)) return fields;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let value = at + 4;
    const long = Object.entries(fields).map(([name, field]) => {
      if (field !== 0xffffffff || value + 8 > extra.length) return [name, field];
      value += 8;
      return [name, Number(extra.readBigUInt64LE(value - 8))];
    });
    return Object.fromEntries(long) as F;
  }
  return fields;
}

/** The text of a small entry that is stored uncompressed, such as `mimetype`; null for any other. */
export async function readStoredEntry(file: ByteSource, entry: ZipEntry): Promise<string | null> {
  if (entry.method !== 0 || entry.compressedBytes > 1024) return null;
  const header = await readAt(file, entry.headerOffset, entry.headerOffset + 30);
  if (header.length < 30 || header.readUInt32LE(0) !== 0x04034b50) return null;
  const start = entry.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  return (await readAt(file, start, start + entry.compressedBytes)).toString('utf8');
}

/** The entry's own header stands where the directory says, and its bytes lie within the file. */
export async function isEntryThere(file: ByteSource, bytes: number, entry: ZipEntry): Promise<boolean> {
  const header = await readAt(file, entry.headerOffset, entry.headerOffset + 4);
  if (header.length < 4 || header.readUInt32LE(0) !== 0x04034b50) return false;
  return entry.headerOffset + 30 + entry.compressedBytes <= bytes;
}

export async function readAt(file: ByteSource, start: number, end: number): Promise<Buffer> {
  if (Buffer.isBuffer(file)) return file.subarray(start, end);
  const buffer = Buffer.alloc(Math.max(0, end - start));
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
