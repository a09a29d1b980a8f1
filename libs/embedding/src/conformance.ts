import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Embedder, EmbedderClosed } from './embedder.ts';

/**
 * What every embedder promises, whatever computes its vectors. `make` is called once per suite and again
 * for the test that closes one.
 */
export function embedderConformance(name: string, make: () => Promise<Embedder>): void {
  describe(`embedder conformance: ${name}`, () => {
    let embedder: Embedder;
    const question = { priority: 'interactive', kind: 'query' } as const;
    const passage = { priority: 'low', kind: 'passage' } as const;

    beforeAll(async () => {
      embedder = await make();
    }, 120_000);
    afterAll(async () => {
      await embedder.close();
    });

    it('names its vector space', () => {
      const { id, dimension, fingerprint, maxTokens } = embedder.model;
      expect(id).not.toBe('');
      expect(fingerprint).toContain(id);
      expect(dimension).toBeGreaterThan(0);
      expect(maxTokens).toBeGreaterThan(2);
    });

    it('gives one unit vector of the model’s dimension per text, in order', async () => {
      const texts = ['a cat sat on the mat', 'interest rates rose again', 'a kitten sits on a rug'];
      const [cat, rates, kitten] = await embedder.embed(texts, passage);
      for (const embedding of [cat, rates, kitten]) {
        expect(embedding?.vector).toHaveLength(embedder.model.dimension);
        expect(cosine(embedding?.vector, embedding?.vector)).toBeCloseTo(1, 5);
      }
      expect(cosine(cat?.vector, kitten?.vector)).toBeGreaterThan(cosine(cat?.vector, rates?.vector));
    });

    it('gives nothing for nothing', async () => {
      expect(await embedder.embed([], question)).toEqual([]);
    });

    it('gives the same bits for the same text, alone or in company', async () => {
      const text = 'The same text must not depend on what is embedded beside it.';
      const [alone] = await embedder.embed([text], passage);
      const company = await embedder.embed([...Array(5).fill('something else entirely'), text], passage);
      expect(company[5]?.vector).toEqual(alone?.vector);
    });

    it('takes empty and odd texts', async () => {
      const odd = ['', ' \n\t', '\ud800 lone surrogate', '[SEP] [CLS] [MASK]', '😀'.repeat(50), '\u0000'];
      for (const embedding of await embedder.embed(odd, passage)) {
        expect(embedding.vector.every(Number.isFinite)).toBe(true);
      }
    });

    it('cuts a long text, says so, and ignores what was cut', async () => {
      const { maxTokens } = embedder.model;
      const long = 'word '.repeat(maxTokens * 3);
      const [whole, other, short] = await embedder.embed([long, `${long} different end`, 'word'], passage);
      expect(whole).toMatchObject({ truncated: true, tokens: maxTokens });
      expect(other?.vector).toEqual(whole?.vector);
      expect(short?.truncated).toBe(false);
      expect(short?.tokens).toBeLessThan(maxTokens);
    });

    it('refuses work whose caller has already gone, and drops what is aborted while it waits', async () => {
      await expect(
        embedder.embed(['late'], { ...question, signal: AbortSignal.abort() }),
      ).rejects.toMatchObject({ name: 'AbortError' });

      const controller = new AbortController();
      const texts = Array.from({ length: 40 }, (_, index) => `chunk ${index} `.repeat(60));
      const dropped = embedder.embed(texts, { ...passage, signal: controller.signal });
      controller.abort();
      await expect(dropped).rejects.toMatchObject({ name: 'AbortError' });
      expect(embedder.load().waiting.low).toBe(0);
      expect(await embedder.embed(['still alive'], question)).toHaveLength(1);
    });

    it('answers questions while documents are embedded', async () => {
      const order: string[] = [];
      const chunks = Array.from({ length: 24 }, (_, index) => `passage ${index} `.repeat(80));
      const documents = embedder.embed(chunks, passage).then(() => order.push('documents'));
      await Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          embedder.embed([`question ${index}?`], question).then(() => order.push('question')),
        ),
      );
      await documents;
      expect(order).toEqual([...Array(6).fill('question'), 'documents']);
    });

    it('does not starve documents while questions keep coming', async () => {
      let embedded = false;
      let asked = 0;
      const documents = embedder.embed(['chunk one', 'chunk two', 'chunk three'], passage).then(() => {
        embedded = true;
      });
      const ask = async () => {
        while (!embedded && asked < 5_000) {
          asked += 1;
          await embedder.embed([`question ${asked}`], question);
        }
      };
      await Promise.all(Array.from({ length: 16 }, ask));
      await documents;
      expect(asked).toBeLessThan(200);
    });

    it('rejects what waits when it is closed, and may be closed twice', async () => {
      const closing = await make();
      const waiting = closing.embed(Array(50).fill('waiting '.repeat(100)), passage);
      const settled = expect(waiting).rejects.toBeInstanceOf(EmbedderClosed);
      await Promise.all([closing.close(), closing.close()]);
      await settled;
      await expect(closing.embed(['late'], question)).rejects.toBeInstanceOf(EmbedderClosed);
    }, 120_000);
  });
}

/** Of unit vectors: their dot product. */
export function cosine(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (a === undefined || b === undefined || a.length !== b.length) return Number.NaN;
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? Number.NaN), 0);
}
