import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { entriesOf } from './folder-entries.ts';

/**
 * Content-addressed bytes: originals and extracted texts. The name of a content is its SHA-256 in hex, so
 * that storing twice is storing once and nothing is ever overwritten.
 *
 * Contents are shared by all versions that have them, and go when the last one is forgotten. Storing and
 * discarding may meet: who stores looks again (`has`) once its version stands in the registry, who discards asks
 * the registry again after the file has been moved aside. Whichever was second then sees the other.
 */
export interface ContentStore {
  /** Resolves with the name once the bytes would survive a power cut. */
  put(bytes: Uint8Array): Promise<string>;
  /**
   * Takes over a finished file of this file system (see `incomingFolder`), whose bytes have been synced and hash
   * to `hash`. Afterwards `file` is gone and the content is stored.
   */
  adopt(file: string, hash: string): Promise<void>;
  has(hash: string): Promise<boolean>;
  /** Where the content lies, for readers that stream. @throws ContentMissing for what is no name; not for a missing file. */
  pathOf(hash: string): string;
  /** @throws ContentMissing */
  get(hash: string): Promise<Buffer>;
  /**
   * Removes the content unless `isOwned` says that somebody needs it; it is asked when nobody can find the file any
   * more. True: removed, or not there.
   */
  discard(hash: string, isOwned: () => Promise<boolean>): Promise<boolean>;
  list(): AsyncIterable<{ hash: string; modifiedAt: number }>;
  /**
   * Clears away what processes that died in `put` or `discard` have left under a hidden name: a whole content that
   * `isOwned` says somebody needs comes back, anything else goes. What is younger than `leastAgeMs` may be under way.
   */
  clearLeftovers(options: {
    leastAgeMs: number;
    isOwned: (hash: string) => Promise<boolean>;
  }): Promise<{ restored: number; removed: number }>;
}

export class ContentMissing extends Error {
  readonly hash: string;

  constructor(hash: string, folder: string) {
    super(
      `${folder} holds nothing under ${JSON.stringify(hash)}; restore the data folder, or ingest the document again`,
    );
    this.name = 'ContentMissing';
    this.hash = hash;
  }
}

const nameForm = /^[0-9a-f]{64}$/;
const parentForm = /^[0-9a-f]{2}$/;
const hiddenForm = /^\.([0-9a-f]{64})\.[0-9a-f]{12}$/;

/** Where files that are still arriving are written: beside the contents, so that taking them over is a rename. */
export function incomingFolder(folder: string): string {
  return join(folder, 'incoming');
}

/** Files `<folder>/ab/ab12…`; created on first use. All processes of a host may use one folder. */
export function createContentStore(folder: string): ContentStore {
  const parentOf = (hash: string) => join(folder, hash.slice(0, 2));
  const fileOf = (hash: string) => {
    // Hashes come out of the registry, but this is the last door before the file system.
    if (!nameForm.test(hash)) throw new ContentMissing(hash, folder);
    return join(parentOf(hash), hash);
  };

  async function place(unfinished: string, hash: string): Promise<void> {
    await rename(unfinished, fileOf(hash));
    await syncFolder(parentOf(hash));
  }

  return {
    async put(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      if (await isFile(fileOf(hash))) return hash;
      const unfinished = join(parentOf(hash), `.${hash}.${randomBytes(6).toString('hex')}`);
      try {
        // There are 256 folders, and nearly always this one is there.
        await writeDurably(unfinished, bytes).catch(async (error: unknown) => {
          if (!isMissing(error)) throw error;
          await mkdir(parentOf(hash), { recursive: true });
          await writeDurably(unfinished, bytes);
        });
        await place(unfinished, hash);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
      return hash;
    },

    async adopt(file, hash) {
      await mkdir(parentOf(hash), { recursive: true });
      await place(file, hash);
    },

    has: async (hash) => isFile(fileOf(hash)),
    pathOf: fileOf,

    async get(hash) {
      try {
        return await readFile(fileOf(hash));
      } catch (error) {
        if (isMissing(error)) throw new ContentMissing(hash, folder);
        throw error;
      }
    },

    async discard(hash, isOwned) {
      const aside = join(parentOf(hash), `.${hash}.${randomBytes(6).toString('hex')}`);
      try {
        await rename(fileOf(hash), aside);
      } catch (error) {
        if (isMissing(error)) return true;
        throw error;
      }
      let owned = true;
      try {
        owned = await isOwned();
      } finally {
        if (owned) await place(aside, hash);
      }
      if (!owned) await rm(aside, { force: true });
      return !owned;
    },

    async clearLeftovers({ leastAgeMs, isOwned }) {
      let [restored, removed] = [0, 0];
      for (const parent of await entriesOf(folder)) {
        if (!parentForm.test(parent)) continue;
        for (const name of await entriesOf(join(folder, parent))) {
          const hash = hiddenForm.exec(name)?.[1];
          const hidden = join(folder, parent, name);
          if (hash === undefined || !(await isOlder(hidden, leastAgeMs))) continue;
          const isMissed = !(await isFile(fileOf(hash))) && (await isOwned(hash));
          if (isMissed && (await hashOfFile(hidden)) === hash) {
            await place(hidden, hash);
            restored += 1;
          } else {
            await rm(hidden, { force: true });
            removed += 1;
          }
        }
      }
      return { restored, removed };
    },

    async *list() {
      for (const parent of await entriesOf(folder)) {
        if (!parentForm.test(parent)) continue;
        for (const name of await entriesOf(join(folder, parent))) {
          if (!nameForm.test(name)) continue;
          const found = await stat(join(folder, parent, name)).catch(() => null);
          if (found !== null) yield { hash: name, modifiedAt: found.mtimeMs };
        }
      }
    },
  };
}

async function isOlder(file: string, ageMs: number): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  // By the change of its name, not of its bytes: a content that is being discarded may be years old.
  return found !== null && Date.now() - found.ctimeMs >= ageMs;
}

async function hashOfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The new name is durable only once its folder is; Windows has no such call and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
