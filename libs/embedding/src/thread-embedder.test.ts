import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { EmbeddingFailed } from './embedder.ts';
import { catalogueModel, fingerprintOf } from './models/catalogue.ts';
import { createThreadEmbedder, type ThreadEmbedder } from './thread-embedder.ts';

const model = catalogueModel('all-minilm-l6-v2');
const files = { model, modelsDir: 'unused', fingerprint: fingerprintOf(model), source: 'test' };
const crashing = new URL('../test/fixtures/crashing-thread.ts', import.meta.url);
const question = { priority: 'interactive', kind: 'query' } as const;
const passage = { priority: 'low', kind: 'passage' } as const;
const open: ThreadEmbedder[] = [];

async function start(threads: number): Promise<ThreadEmbedder> {
  const embedder = await createThreadEmbedder({ files, threads, threadFile: crashing });
  open.push(embedder);
  return embedder;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((embedder) => embedder.close()));
});

describe('a thread that dies', () => {
  it('is replaced, and its text is tried once more', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vortex-thread-'));
    const embedder = await start(1);
    const text = `crash-once ${join(folder, 'crashed')}`;
    const [embedding] = await embedder.embed([text], passage);
    expect(embedding?.tokens).toBe(text.length);
    expect(embedder.load()).toMatchObject({ threads: 1, restarts: 1, running: 0 });
    await rm(folder, { recursive: true });
  });

  it('fails the text that ended two threads, not those beside it', async () => {
    const embedder = await start(2);
    const bystanders = Promise.all(
      ['one', 'two', 'three', 'four'].map((text) => embedder.embed([text], question)),
    );
    await expect(embedder.embed(['crash'], question)).rejects.toThrow(
      'the text ended two inference threads and is not tried again',
    );
    expect((await bystanders).map(([embedding]) => embedding?.tokens)).toEqual([3, 3, 5, 4]);
    const [after] = await embedder.embed(['after'], question);
    expect(after?.tokens).toBe(5);
  });

  it('does not blame the question that was behind the one computed', async () => {
    const embedder = await start(1);
    const crashed = embedder.embed(['crash'], question);
    const behind = embedder.embed(['behind'], question);
    await expect(crashed).rejects.toBeInstanceOf(EmbeddingFailed);
    expect((await behind)[0]?.tokens).toBe(6);
  });

  it('fails the start when it never gets ready', async () => {
    const threadFile = new URL('data:text/javascript,throw new Error("no such model")');
    await expect(createThreadEmbedder({ files, threads: 2, threadFile })).rejects.toThrow('no such model');
  });
});

describe('a text the model refuses', () => {
  it('fails its call with the reason, and no other', async () => {
    const embedder = await start(1);
    const other = embedder.embed(['other'], passage);
    await expect(embedder.embed(['fine', 'refuse', 'never needed'], passage)).rejects.toThrow(
      'the text could not be embedded: told to',
    );
    expect(await other).toHaveLength(1);
    expect(embedder.load()).toMatchObject({ waiting: { interactive: 0, low: 0 }, restarts: 0 });
  });
});
