import { readdir } from 'node:fs/promises';

/** The names in a folder; none while nobody has made it. @throws any other error of the disk. */
export async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
