import { join } from 'node:path';
import { type CorpusFile, readCorpus } from '@vortex/testkit/fuzz';
import { mediaTypeOfName } from '../../src/document-media-types.ts';

export const corpusFolder = join(import.meta.dirname, '../corpus');
const fixtureFolder = join(import.meta.dirname, '../fixtures');

/** What mutations begin with: files of other programs, and the saved corpus; not what is large only. */
export function documentSeeds(): (CorpusFile & { mediaType: string | null })[] {
  return [...readCorpus(fixtureFolder), ...readCorpus(corpusFolder)]
    .filter(({ bytes }) => bytes.length <= 64 * 1024)
    .map((file) => ({ ...file, mediaType: mediaTypeOfName(file.name) }));
}
