import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readZipEntry } from './zip-reader.ts';

interface Packed {
  name: string;
  content: Buffer;
  deflate?: boolean;
  flags?: number;
  crc?: number;
}

/** A zip written by the format's description: local headers (with an extra field), directory, end record with a comment. */
function zip(files: Packed[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const name = Buffer.from(file.name);
    const data = file.deflate ? deflateRawSync(file.content) : file.content;
    const extra = Buffer.from([1, 0, 2, 0, 7, 7]);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(file.flags ?? 0, 2);
    common.writeUInt16LE(file.deflate ? 8 : 0, 4);
    common.writeUInt32LE(file.crc ?? crc32(file.content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(file.content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, name, extra, data]);
    local.writeUInt16LE(extra.length, 28);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), common, tail, name]));
    locals.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(entries.length, 8);
  end.writeUInt32LE(offset, 12);
  end.writeUInt16LE(5, 16);
  return Buffer.concat([...locals, entries, Buffer.from('PK\u0005\u0006'), end, Buffer.from('jar 1')]);
}

const text = Buffer.from('the same words, again and again, again and again '.repeat(40));
const archive = zip([
  { name: 'META-INF/MANIFEST.MF', content: Buffer.from('Manifest-Version: 1.0\n') },
  { name: 'model.onnx', content: text, deflate: true },
  { name: 'empty', content: Buffer.alloc(0) },
]);

describe('readZipEntry', () => {
  it('reads stored, deflated and empty entries', () => {
    expect(readZipEntry(archive, 'META-INF/MANIFEST.MF').toString()).toBe('Manifest-Version: 1.0\n');
    expect(readZipEntry(archive, 'model.onnx')).toEqual(text);
    expect(readZipEntry(archive, 'empty')).toHaveLength(0);
  });

  it('names an entry that is not there', () => {
    expect(() => readZipEntry(archive, 'tokenizer.json')).toThrow('no entry tokenizer.json');
  });

  it('recognises an error page and a cut download', () => {
    expect(() => readZipEntry(Buffer.from('<html>404</html>'.repeat(10)), 'model.onnx')).toThrow(
      'no zip archive',
    );
    expect(() => readZipEntry(archive.subarray(0, archive.length - 60), 'model.onnx')).toThrow(
      'no zip archive',
    );
  });

  it('refuses content that fails its checksum', () => {
    const damaged = zip([{ name: 'model.onnx', content: text, crc: 1 }]);
    expect(() => readZipEntry(damaged, 'model.onnx')).toThrow('fails its checksum');
  });

  it('refuses an encrypted entry', () => {
    expect(() => readZipEntry(zip([{ name: 'secret', content: text, flags: 1 }]), 'secret')).toThrow(
      'is encrypted',
    );
  });
});
