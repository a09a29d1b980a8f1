import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Chunker, ChunkingFailed, createProcessChunker } from '../src/process-chunker.ts';
import { writeTinyTokenizer } from './tiny-tokenizer.ts';

describe('chunking in a process of its own', () => {
  let modelsDir: string;
  let chunker: Chunker;
  const never = new AbortController().signal;
  const request = (text: string) => ({
    source: { text, mediaType: 'text/plain' as const, title: '' },
    maxTokens: 40,
    overlapTokens: 0,
  });

  beforeEach(async () => {
    modelsDir = await mkdtemp(join(tmpdir(), 'vortex-chunker-'));
    await writeTinyTokenizer(modelsDir);
    chunker = createProcessChunker({ model: 'all-minilm-l6-v2', modelsDir });
  });
  afterEach(async () => {
    await chunker.close();
    await rm(modelsDir, { recursive: true });
  });

  it('gives the pieces of several documents, each its own', async () => {
    const texts = Array.from({ length: 5 }, (_, index) =>
      `The queue holds jobs ${index}. `.repeat(20 + index),
    );
    const all = await Promise.all(texts.map((text) => chunker.chunk(request(text), never)));
    for (const [index, pieces] of all.entries()) {
      expect(pieces.length).toBeGreaterThan(3);
      for (const piece of pieces) {
        expect(texts[index]?.slice(...piece.source_span)).toBe(piece.text);
        expect(piece.tokens).toBeLessThanOrEqual(38);
      }
    }
  });

  it('an abandoned document ends its process at once, and the next one is chunked by a new one', async () => {
    await chunker.warmUp();
    const controller = new AbortController();
    // Base64-like: the slowest a tokenizer can be given, many seconds of it.
    const endless = chunker.chunk(request('qz7xk'.repeat(2_000_000)), controller.signal);
    const next = chunker.chunk(request('A sentence.'), never);
    controller.abort();
    await expect(endless).rejects.toThrow(/no longer wanted/);
    expect((await next).map((piece) => piece.text)).toEqual(['A sentence.']);
  });

  it('a document that needs too much memory fails alone', async () => {
    await chunker.close();
    chunker = createProcessChunker({ model: 'all-minilm-l6-v2', modelsDir, maxHeapMegabytes: 24 });
    await expect(chunker.chunk(request('a. '.repeat(2_000_000)), never)).rejects.toThrow(ChunkingFailed);
    expect(await chunker.chunk(request('A sentence.'), never)).toHaveLength(1);
  });

  it('an idle process is given up and comes back when needed', async () => {
    await chunker.close();
    chunker = createProcessChunker({ model: 'all-minilm-l6-v2', modelsDir, idleMs: 0 });
    const hasChild = () => process.getActiveResourcesInfo().includes('ProcessWrap');
    for (let round = 0; round < 3; round += 1) {
      const chunked = chunker.chunk(request('A sentence.'), never);
      expect(hasChild()).toBe(true);
      expect(await chunked).toHaveLength(1);
      await until('the process has ended', () => !hasChild());
    }
  });

  it('says what is missing when the model is not there', async () => {
    const lost = createProcessChunker({ model: 'all-minilm-l6-v2', modelsDir: join(modelsDir, 'nowhere') });
    await expect(lost.warmUp()).rejects.toThrow(/no such file.*tokenizer/);
    await lost.close();
    await expect(lost.chunk(request('text'), never)).rejects.toThrow(/closed/);
  });
});
