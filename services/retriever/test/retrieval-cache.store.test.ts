import { expect, it, vi } from 'vitest';
import { east, north, northEast, retrieverForEach } from './retriever-under-test.ts';

const retriever = retrieverForEach();
const { parts } = retriever;

async function withBook(jobId = 'job_1', more: { contentHash?: string } = {}) {
  const begun = await retriever.begin('book', jobId, more);
  await retriever.storeChunks(begun, [north, east], { texts: [`North of ${jobId}.`, `East of ${jobId}.`] });
  await retriever.publish(begun);
  return begun;
}
const searches = () => vi.spyOn(parts.visibleSearch, 'search');

it('the same search is made once, and gives the same', async () => {
  await withBook();
  const search = searches();
  const first = await retriever.hits(north, { mode: 'dense' });
  expect(await retriever.hits(north, { mode: 'dense' })).toEqual(first);
  // Its words take no part in a search by vectors.
  expect(await retriever.hits(north, { mode: 'dense', query: 'When?' })).toEqual(first);
  expect(search).toHaveBeenCalledTimes(1);
});

it('whatever a search depends on makes it another', async () => {
  await withBook();
  const search = searches();
  const filter = { field: 'year', op: 'gt', value: 2000 };
  const others = [{}, { query: 'When?' }, { mode: 'dense' }, { mode: 'sparse' }, { top_k: 9 }, { filter }];
  for (const more of [...others, ...others]) await retriever.hits(northEast, more);
  await retriever.hits(east);
  await retriever.retrieve(northEast, { top_k: 10 });
  expect(search).toHaveBeenCalledTimes(others.length + 2);
});

it('bypass neither reads nor keeps, refresh keeps', async () => {
  await withBook();
  const search = searches();
  for (const cache of ['bypass', 'bypass', 'refresh', 'default', 'refresh'])
    await retriever.hits(north, { cache });
  expect(search).toHaveBeenCalledTimes(4);
});

it('a published version and a deleted document are seen at once', async () => {
  const { documentId } = await withBook();
  expect(await retriever.textsFound(north)).toEqual(['North of job_1.', 'East of job_1.']);
  await withBook('job_2', { contentHash: 'other' });
  expect(await retriever.textsFound(north)).toEqual(['North of job_2.', 'East of job_2.']);
  expect(await retriever.textsFound(north)).toEqual(['North of job_2.', 'East of job_2.']);
  await parts.registry.deleteDocument('default', documentId);
  expect(await retriever.textsFound(north)).toEqual([]);
});

it('an answer says which state of the collection was searched', async () => {
  await withBook();
  const outcome = await retriever.retrieve(north);
  if (outcome.kind !== 'forward') throw new Error(`no prompt: ${outcome.kind}`);
  expect(outcome.payload.made_from).toEqual({
    collection_version: expect.stringMatching(/^books@\d+\.\d+\.[1-9]\d*$/),
    retrieval: 'retrieval-1',
  });
});
