import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzzBudget, readCorpus } from '@vortex/testkit/fuzz';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpusFolder, documentSeeds } from './fuzz/document-seeds.ts';
import { fuzzDocuments } from './fuzz/fuzz-documents.ts';
import { readAndCheck } from './fuzz/read-and-check.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vortex-fuzz-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** The table of corpus/README.md: file and how it ends. */
async function endingsOfReadme(): Promise<Record<string, string>> {
  const readme = await readFile(join(corpusFolder, 'README.md'), 'utf8');
  const rows = readme.matchAll(/^\| `([^`]+)` +\|.*\| `?([a-z_]+)`? +\|$/gm);
  return Object.fromEntries(
    [...rows].map(([, name = '', ending = '']) => [name.replace(/\.gz$/, ''), ending]),
  );
}

describe('the saved corpus', () => {
  it('ends as its README says, file by file, and keeps every law', async () => {
    const endings: Record<string, string> = {};
    for (const { name, bytes } of readCorpus(corpusFolder)) {
      const file = join(folder, name);
      await writeFile(file, bytes);
      endings[name] = await readAndCheck(file, name, null).catch((error: Error) => error.message);
    }
    expect(endings).toEqual(await endingsOfReadme());
  });
});

describe('documents that are nearly some', () => {
  it('are read or refused with a code, each in one way, and none ends the process', async () => {
    const { complaints, outcomes } = await fuzzDocuments(
      fuzzBudget(300),
      join(tmpdir(), 'vortex-fuzz-findings'),
    );
    expect(complaints).toEqual([]);
    // Otherwise only the doors would have been tried.
    expect(outcomes.get('read')).toBeGreaterThan(documentSeeds().length);
    expect(outcomes.get('corrupt_file')).toBeGreaterThan(20);
  }, 3_600_000);
});
