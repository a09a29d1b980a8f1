import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localKeyFile, pepperFile, readLocalKey, readPepper, writeLocalKey } from './key-files.ts';
import { localKey, textOfKey } from './key-text.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vortex-keys-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the pepper', () => {
  it('is made once, however many ask for it at the same moment, for its owner alone', async () => {
    const data = join(folder, 'not-there-yet');
    const peppers = await Promise.all(Array.from({ length: 8 }, () => readPepper(data, null)));
    expect(new Set(peppers.map((one) => one.toString('hex'))).size).toBe(1);
    expect(peppers[0]).toHaveLength(32);
    expect((await stat(pepperFile(data))).mode & 0o777).toBe(0o600);
    expect(await readdir(data)).toEqual(['key-pepper']);
  });

  it('of the configuration leaves no file', async () => {
    const configured = 'c'.repeat(32);
    expect(await readPepper(folder, configured)).toEqual(Buffer.from(configured));
    expect(await readdir(folder)).toEqual([]);
  });

  it('is never made anew where there is one that cannot be read', async () => {
    await writeFile(pepperFile(folder), 'half of');
    await expect(readPepper(folder, null)).rejects.toThrow(/is no pepper/);
    expect(await readFile(pepperFile(folder), 'utf8')).toBe('half of');
  });
});

describe('the key of the machine', () => {
  it('is there for its owner alone, and follows the pepper', async () => {
    expect(await readLocalKey(folder)).toBeNull();
    for (const configured of ['a'.repeat(32), 'b'.repeat(32)]) {
      const pepper = await readPepper(folder, configured);
      await Promise.all([writeLocalKey(folder, pepper), writeLocalKey(folder, pepper)]);
      expect(await readLocalKey(folder)).toBe(textOfKey(localKey(pepper)));
    }
    expect((await stat(localKeyFile(folder))).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['local-key']);
  });
});
