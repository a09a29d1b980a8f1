import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContentMissing, createFileContentStore, createTextStore } from '../src/text-store.ts';

describe('texts as files', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vortex-texts-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('gives back exactly what was put, under the SHA-256 of its bytes', async () => {
    const store = createTextStore(join(folder, 'texts'));
    for (const text of ['plain', 'CR\r\nLF\tطµ 👩‍🚀\u0000 end', '\ufeffa mark that somebody put', '']) {
      const hash = await store.put(text);
      expect(hash).toBe(createHash('sha256').update(text, 'utf8').digest('hex'));
      expect(await store.get(hash)).toBe(text);
    }
  });

  it('twenty writers of one text leave one file and nothing unfinished', async () => {
    const text = 'the same words '.repeat(10_000);
    const hashes = await Promise.all(Array.from({ length: 20 }, () => createTextStore(folder).put(text)));
    const [hash] = new Set(hashes);
    expect(new Set(hashes).size).toBe(1);
    expect(await readdir(join(folder, String(hash).slice(0, 2)))).toEqual([hash]);
    expect(await createTextStore(folder).get(String(hash))).toBe(text);
  });

  it('names what is missing, and never leaves the folder', async () => {
    const store = createFileContentStore(folder);
    await store.put(Buffer.from([0, 255, 128]));
    await expect(store.get('0'.repeat(64))).rejects.toThrow(ContentMissing);
    await expect(store.get('../../etc/passwd')).rejects.toThrow(/ingest the document again/);
  });
});
