import { readFile } from 'node:fs/promises';
import { decodeVector } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { cosine, embedderConformance } from '../src/conformance.ts';
import { createThreadEmbedder, loadTokenizer } from '../src/index.ts';
import { testModel, testModelsDir } from './test-models.ts';

const fetchMs = 240_000;
const twoThreads = async (model: string) =>
  createThreadEmbedder({ files: await testModel(model), threads: 2 });

embedderConformance('two threads, all-MiniLM-L6-v2 int8', () => twoThreads('all-minilm-l6-v2'));

/** Vectors of sentence-transformers' own float32 model; how they were made stands in the file. */
interface Golden {
  texts: { text: string; vector: string; tokens: number }[];
}
async function golden(name: string): Promise<Golden> {
  return JSON.parse(await readFile(new URL(`./golden/${name}.json`, import.meta.url), 'utf8'));
}

describe('agreement with sentence-transformers', () => {
  it(
    'int8 MiniLM: every cosine at least .98, their mean at least .99',
    async () => {
      const { texts } = await golden('all-minilm-l6-v2');
      const embedder = await twoThreads('all-minilm-l6-v2');
      try {
        const embeddings = await embedder.embed(
          texts.map(({ text }) => text),
          { priority: 'low', kind: 'passage' },
        );
        const cosines = embeddings.map(({ vector }, index) =>
          cosine(vector, decodeVector(texts[index]?.vector ?? '')),
        );
        expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.98);
        expect(cosines.reduce((sum, value) => sum + value, 0) / cosines.length).toBeGreaterThanOrEqual(0.99);
        expect(embeddings.map(({ tokens }) => tokens)).toEqual(texts.map(({ tokens }) => tokens));
      } finally {
        await embedder.close();
      }
    },
    fetchMs,
  );
});

describe('bge-small-en-v1.5', () => {
  it(
    'puts its instruction in front of questions and finds the passage that answers',
    async () => {
      const embedder = await twoThreads('bge-small-en-v1.5');
      try {
        const question = 'What do lions eat?';
        const passages = [
          'Lions hunt zebra and wildebeest.',
          'The boiler was serviced in March.',
          'Stocks fell sharply on Monday.',
        ];
        const [asked] = await embedder.embed([question], { priority: 'interactive', kind: 'query' });
        const [plain, ...answers] = await embedder.embed([question, ...passages], {
          priority: 'low',
          kind: 'passage',
        });
        expect(asked?.tokens).toBe((plain?.tokens ?? 0) + 8);
        const cosines = answers.map(({ vector }) => cosine(asked?.vector, vector));
        expect(cosines.indexOf(Math.max(...cosines))).toBe(0);
        expect(cosines[0]).toBeGreaterThan(Math.max(...cosines.slice(1)) + 0.1);
      } finally {
        await embedder.close();
      }
    },
    fetchMs,
  );
});

describe('tokenizer', () => {
  it(
    'counts what the model counts, without the special tokens',
    async () => {
      await testModel('all-minilm-l6-v2');
      const tokenizer = await loadTokenizer({ model: 'all-minilm-l6-v2', modelsDir: testModelsDir });
      const { texts } = await golden('all-minilm-l6-v2');
      for (const { text, tokens } of texts) {
        const { ids, truncated } = tokenizer.encode(text);
        expect(ids).toHaveLength(tokens);
        if (!truncated) expect(tokenizer.countTokens(text)).toBe(tokens - 2);
      }
      const long = tokenizer.encode('word '.repeat(1000));
      expect(long).toMatchObject({ truncated: true });
      expect(long.ids).toHaveLength(256);
      expect([long.ids[0], long.ids[255]]).toEqual([101, 102]);
    },
    fetchMs,
  );
});
