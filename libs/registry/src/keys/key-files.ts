import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { localKey, textOfKey } from './key-text.ts';

/**
 * What of keys is on the disk of the instance, readable by its user alone (0600): the pepper, unless the
 * configuration gives one, and the key of the machine, for commands with `--data`. Neither is in the registry, so a
 * copied database opens nothing. Without its pepper no key of a registry is known any more.
 */
export const pepperFile = (dataDir: string) => join(dataDir, 'key-pepper');
export const localKeyFile = (dataDir: string) => join(dataDir, 'local-key');

const ownerOnly = 0o600;

/** @param configured `auth.pepper`; null: the data folder's, which is made when it is missing. */
export async function readPepper(dataDir: string, configured: string | null): Promise<Buffer> {
  if (configured !== null) return Buffer.from(configured, 'utf8');
  await mkdir(dataDir, { recursive: true });
  const file = pepperFile(dataDir);
  return (await readPresent(file)) ?? (await makePepper(file));
}

async function readPresent(file: string): Promise<Buffer | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  const pepper = Buffer.from(text.trim(), 'hex');
  if (pepper.length === 32) return pepper;
  throw new Error(
    `${file} is no pepper (64 hexadecimal digits); bring the one back that the keys were made with`,
  );
}

/** Several processes may start at once: the first link wins, and what is linked is whole. */
async function makePepper(file: string): Promise<Buffer> {
  const own = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeWhole(own, randomBytes(32).toString('hex'));
  try {
    await link(own, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await unlink(own);
  }
  // The registry's commits survive a power cut; the pepper their keys are known by must, too.
  await syncFolder(dirname(file));
  const made = await readPresent(file);
  if (made === null) throw new Error(`${file} was made and is not there`);
  return made;
}

/** For the commands of this machine; written anew where it is another pepper's. */
export async function writeLocalKey(dataDir: string, pepper: Buffer): Promise<void> {
  const text = textOfKey(localKey(pepper));
  if ((await readLocalKey(dataDir)) === text) return;
  const file = localKeyFile(dataDir);
  const own = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeWhole(own, text);
  await rename(own, file);
}

/** Null: no gateway has run on this folder, or it is not ours to read. */
export async function readLocalKey(dataDir: string): Promise<string | null> {
  try {
    return (await readFile(localKeyFile(dataDir), 'utf8')).trim();
  } catch {
    // Commands go on without it, and are told by the gateway what they may not do.
    return null;
  }
}

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(file, `${text}\n`, { mode: ownerOnly, flag: 'wx' });
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Windows has no such call and needs none. */
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
