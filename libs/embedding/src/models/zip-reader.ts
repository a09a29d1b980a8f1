import { crc32, inflateRawSync } from 'node:zlib';

const endOfDirectory = 0x06054b50;
const directoryEntry = 0x02014b50;
const localHeader = 0x04034b50;

/**
 * One file out of a zip or jar held in memory: stored or deflated entries, found through the central
 * directory, checked by CRC-32. No ZIP64, no encryption: model jars have neither, and sixty lines are
 * easier to answer for than a dependency.
 *
 * @throws Error that names the entry and what is wrong with the archive.
 */
export function readZipEntry(archive: Buffer, entryName: string): Buffer {
  const directory = locateDirectory(archive);
  let at = directory.start;
  for (let index = 0; index < directory.entries; index += 1) {
    if (at + 46 > archive.length || archive.readUInt32LE(at) !== directoryEntry) {
      throw new Error('the zip archive is damaged: its directory ends early');
    }
    const nameLength = archive.readUInt16LE(at + 28);
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    if (name === entryName) return extract(archive, at, name);
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`the zip archive has no entry ${entryName}`);
}

function locateDirectory(archive: Buffer): { start: number; entries: number } {
  // The record ends the file, after a comment of at most 65,535 bytes.
  const earliest = Math.max(0, archive.length - 22 - 0xffff);
  for (let at = archive.length - 22; at >= earliest; at -= 1) {
    if (archive.readUInt32LE(at) !== endOfDirectory) continue;
    const entries = archive.readUInt16LE(at + 10);
    const start = archive.readUInt32LE(at + 16);
    if (entries === 0xffff || start === 0xffffffff) throw new Error('ZIP64 archives are not read');
    return { start, entries };
  }
  throw new Error('this is no zip archive (it may be an error page or a cut download)');
}

function extract(archive: Buffer, entryAt: number, name: string): Buffer {
  const flags = archive.readUInt16LE(entryAt + 8);
  const method = archive.readUInt16LE(entryAt + 10);
  const expectedCrc = archive.readUInt32LE(entryAt + 16);
  const packedBytes = archive.readUInt32LE(entryAt + 20);
  const bytes = archive.readUInt32LE(entryAt + 24);
  const headerAt = archive.readUInt32LE(entryAt + 42);
  if ((flags & 1) !== 0) throw new Error(`${name} in the zip archive is encrypted`);
  if (headerAt + 30 > archive.length || archive.readUInt32LE(headerAt) !== localHeader) {
    throw new Error(`the zip archive is damaged: ${name} is not where its directory says`);
  }
  // The local header's name and extra field may be longer than the directory's.
  const dataAt = headerAt + 30 + archive.readUInt16LE(headerAt + 26) + archive.readUInt16LE(headerAt + 28);
  const packed = archive.subarray(dataAt, dataAt + packedBytes);
  if (packed.length !== packedBytes) throw new Error(`the zip archive is cut off inside ${name}`);
  if (method !== 0 && method !== 8) throw new Error(`${name} is packed by method ${method}, not deflate`);
  const content = method === 0 ? packed : inflateRawSync(packed, { maxOutputLength: Math.max(bytes, 1) });
  if (content.length !== bytes || crc32(content) !== expectedCrc) {
    throw new Error(`${name} in the zip archive fails its checksum`);
  }
  return content;
}
