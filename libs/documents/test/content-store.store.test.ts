import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ContentMissing,
  type ContentStore,
  createContentStore,
  incomingFolder,
} from '../src/content-store.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vortex-texts-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('contents as files', () => {
  it('gives back exactly what was put, under the SHA-256 of its bytes', async () => {
    const store = createContentStore(join(folder, 'texts'));
    for (const text of ['plain', 'CR\r\nLF\tطµ 👩‍🚀\u0000 end', '\ufeffa mark that somebody put', '']) {
      const hash = await store.put(Buffer.from(text));
      expect(hash).toBe(createHash('sha256').update(text, 'utf8').digest('hex'));
      expect((await store.get(hash)).toString()).toBe(text);
    }
  });

  it('twenty writers of one content leave one file and nothing unfinished', async () => {
    const text = Buffer.from('the same words '.repeat(10_000));
    const hashes = await Promise.all(Array.from({ length: 20 }, () => createContentStore(folder).put(text)));
    const [hash] = new Set(hashes);
    expect(new Set(hashes).size).toBe(1);
    expect(await readdir(join(folder, String(hash).slice(0, 2)))).toEqual([hash]);
    expect(await createContentStore(folder).get(String(hash))).toEqual(text);
  });

  it('names what is missing, and never leaves the folder', async () => {
    const store = createContentStore(folder);
    await store.put(Buffer.from([0, 255, 128]));
    await expect(store.get('0'.repeat(64))).rejects.toThrow(ContentMissing);
    await expect(store.get('../../etc/passwd')).rejects.toThrow(/ingest the document again/);
  });
});

describe('contents that come and go', () => {
  const bytes = Buffer.from('an uploaded file');
  const hash = createHash('sha256').update(bytes).digest('hex');
  const place = async () => readdir(join(folder, hash.slice(0, 2)));

  async function arrived(): Promise<string> {
    await mkdir(incomingFolder(folder), { recursive: true });
    const file = join(incomingFolder(folder), `upload-${(await readdir(incomingFolder(folder))).length}`);
    await writeFile(file, bytes);
    return file;
  }

  async function listed(store: ContentStore): Promise<{ hash: string; modifiedAt: number }[]> {
    const all = [];
    for await (const content of store.list()) all.push(content);
    return all;
  }

  it('takes a finished file over, also when the content is there already', async () => {
    const store = createContentStore(folder);
    for (let round = 0; round < 2; round += 1) {
      await store.adopt(await arrived(), hash);
      expect(await store.has(hash)).toBe(true);
      expect(await store.get(hash)).toEqual(bytes);
      expect(await readdir(incomingFolder(folder))).toEqual([]);
      expect(await place()).toEqual([hash]);
    }
  });

  it('discards what nobody owns, twice without harm', async () => {
    const store = createContentStore(folder);
    await store.put(bytes);
    expect(await store.discard(hash, async () => false)).toBe(true);
    expect(await store.has(hash)).toBe(false);
    expect(await place()).toEqual([]);
    expect(await store.discard(hash, async () => false)).toBe(true);
  });

  it('asks for owners while nobody can find the content, and puts it back when there is one', async () => {
    const store = createContentStore(folder);
    await store.put(bytes);
    let found: boolean | undefined;
    const discarded = await store.discard(hash, async () => {
      found = await store.has(hash);
      return true;
    });
    expect([discarded, found]).toEqual([false, false]);
    expect(await store.get(hash)).toEqual(bytes);
    expect(await place()).toEqual([hash]);
  });

  it('keeps the content when the question for owners fails', async () => {
    const store = createContentStore(folder);
    await store.put(bytes);
    const failing = store.discard(hash, () => Promise.reject(new Error('the registry is away')));
    await expect(failing).rejects.toThrow('the registry is away');
    expect(await store.get(hash)).toEqual(bytes);
  });

  it('a content stored while it is discarded stays: who stores second is not undone', async () => {
    const store = createContentStore(folder);
    await store.put(bytes);
    const discarded = await store.discard(hash, async () => {
      await store.adopt(await arrived(), hash);
      return false;
    });
    expect(discarded).toBe(true);
    expect(await store.get(hash)).toEqual(bytes);
    expect(await place()).toEqual([hash]);
  });

  it('clears what dead processes left: an owned content comes back, if it is whole', async () => {
    const store = createContentStore(folder);
    const contents = ['owned', 'cut off', 'nobody’s', 'stored again'].map((text) => Buffer.from(text));
    const hashes = await Promise.all(contents.map((content) => store.put(content)));
    const fileOf = (hash: string) => store.pathOf(hash);
    const hiddenOf = (hash: string) => join(folder, hash.slice(0, 2), `.${hash}.0123456789ab`);
    const [owned = '', cut = '', nobodys = '', again = ''] = hashes;
    for (const hash of hashes) await rename(fileOf(hash), hiddenOf(hash));
    await truncate(hiddenOf(cut), 2);
    await store.put(Buffer.from('stored again'));
    const isOwned = async (hash: string) => hash !== nobodys;
    expect(await store.clearLeftovers({ leastAgeMs: 60_000, isOwned })).toEqual({ restored: 0, removed: 0 });
    expect(await store.clearLeftovers({ leastAgeMs: 0, isOwned })).toEqual({ restored: 1, removed: 3 });
    expect(await Promise.all(hashes.map((hash) => store.has(hash)))).toEqual([true, false, false, true]);
    expect(String(await store.get(owned))).toBe('owned');
    expect(await store.clearLeftovers({ leastAgeMs: 0, isOwned })).toEqual({ restored: 0, removed: 0 });
    expect(String(await store.get(again))).toBe('stored again');
  });

  it('lists contents only: not what is arriving, unfinished or somebody else’s', async () => {
    const store = createContentStore(folder);
    expect(await listed(createContentStore(join(folder, 'nowhere')))).toEqual([]);
    const hashes = await Promise.all(['a', 'b', 'c'].map((text) => store.put(Buffer.from(text))));
    await arrived();
    await writeFile(join(folder, 'README'), 'x');
    await writeFile(join(folder, String(hashes[0]).slice(0, 2), `.${hashes[0]}.0123`), 'x');
    const found = await listed(store);
    expect(found.map((content) => content.hash).sort()).toEqual(hashes.sort());
    for (const { modifiedAt } of found) expect(modifiedAt).toBeGreaterThan(0);
  });
});
