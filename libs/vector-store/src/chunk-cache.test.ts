import { expect, it } from 'vitest';
import { ChunkCache } from './chunk-cache.ts';

const chunk = (id: string, characters: number) => ({
  ...{
    id,
    document_id: 'doc',
    version: 1,
    ordinal: 0,
    chunk_id: id,
    title: '',
    heading_path: [],
    page: null,
  },
  ...{
    source_span: [0, characters] as [number, number],
    text: 'x'.repeat(characters),
    context: '',
    tokens: 1,
  },
});

it('forgets the least recently used chunk first, and never weighs more than it may', () => {
  const cache = new ChunkCache(3000);
  for (const id of ['a', 'b', 'c']) cache.put(chunk(id, 300));
  expect(cache.bytes).toBe(3000);
  expect(cache.get('a')?.id).toBe('a');
  cache.put(chunk('d', 300));
  expect(cache.get('b')).toBeUndefined();
  expect(cache.get('a')?.id).toBe('a');
  cache.put(chunk('huge', 5000));
  expect(cache.get('huge')).toBeUndefined();
  expect(cache.bytes).toBeLessThanOrEqual(3000);
});

it('weighs a replaced or deleted chunk once', () => {
  const cache = new ChunkCache(10_000);
  cache.put(chunk('a', 100));
  cache.put(chunk('a', 200));
  expect(cache.get('a')?.text).toHaveLength(200);
  expect(cache.bytes).toBe(800);
  cache.delete('a');
  cache.delete('a');
  expect(cache.bytes).toBe(0);
});
