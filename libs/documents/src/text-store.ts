import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Content-addressed bytes: extracted texts now, originals later. The name of a content is its SHA-256 in
 * hex, so that storing twice is storing once and nothing is ever overwritten.
 */
export interface ContentStore {
  /** Resolves with the name once the bytes would survive a power cut. */
  put(bytes: Uint8Array): Promise<string>;
  /** @throws ContentMissing */
  get(hash: string): Promise<Buffer>;
}

export interface TextStore {
  /** Resolves with the text's SHA-256. A text must be well-formed Unicode, as `extractText` leaves it. */
  put(text: string): Promise<string>;
  /** The text exactly as it was put, so that every `source_span` points at the same characters. @throws ContentMissing */
  get(hash: string): Promise<string>;
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

/** Files `<folder>/ab/ab12…`; created on first use. All processes of a host may use one folder. */
export function createFileContentStore(folder: string): ContentStore {
  return {
    async put(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      const parent = join(folder, hash.slice(0, 2));
      const file = join(parent, hash);
      if (await exists(file)) return hash;
      await mkdir(parent, { recursive: true });
      const unfinished = join(parent, `.${hash}.${randomBytes(6).toString('hex')}`);
      try {
        await writeDurably(unfinished, bytes);
        await rename(unfinished, file);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
      await syncFolder(parent);
      return hash;
    },

    async get(hash) {
      // Hashes come out of the registry, but this is the last door before the file system.
      if (!/^[0-9a-f]{64}$/.test(hash)) throw new ContentMissing(hash, folder);
      try {
        return await readFile(join(folder, hash.slice(0, 2), hash));
      } catch (error) {
        if (isMissing(error)) throw new ContentMissing(hash, folder);
        throw error;
      }
    },
  };
}

/** @param folder `<data.dir>/texts` */
export function createTextStore(folder: string): TextStore {
  const contents = createFileContentStore(folder);
  return {
    put: (text) => contents.put(Buffer.from(text, 'utf8')),
    get: async (hash) => (await contents.get(hash)).toString('utf8'),
  };
}

async function exists(file: string): Promise<boolean> {
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
