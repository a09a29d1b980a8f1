import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureModel, type ModelProgress, ModelUnavailable } from '@vortex/embedding';
import { cacheDir } from './folders.ts';
import { CommandProblem } from './problem.ts';
import type { Terminal } from './terminal.ts';

export interface ModelWish {
  model: string;
  modelsDir: string;
  hfEndpoint: string | null;
}

/** Where the files of this checkout are kept, so that a second data folder needs no network. */
export const modelCacheDir = join(cacheDir, 'models');

/**
 * Puts the encoder's files into the models folder: there already, from this checkout's cache, or downloaded.
 * @throws CommandProblem saying what was tried and what to do
 */
export async function prepareModel(wish: ModelWish, terminal: Terminal): Promise<void> {
  const here = { model: wish.model, modelsDir: wish.modelsDir };
  if (await isThere(here)) return;
  const step = terminal.step(`Getting the embedding model ${wish.model}`);
  const download = (modelsDir: string) =>
    ensureModel({
      model: wish.model,
      modelsDir,
      hfEndpoint: wish.hfEndpoint,
      onProgress: (progress) => step.update(describe(progress)),
    });
  try {
    let source: string;
    try {
      ({ source } = await download(modelCacheDir));
      await cp(join(modelCacheDir, wish.model), join(wish.modelsDir, wish.model), { recursive: true });
    } catch (error) {
      if (error instanceof ModelUnavailable) throw error;
      // A checkout that this user may not write to has no cache.
      ({ source } = await download(wish.modelsDir));
    }
    if (!(await isThere(here)))
      throw new Error(`${wish.modelsDir} does not hold the files after they were put there`);
    step.done(
      `Embedding model ${wish.model} (${source === 'models folder' ? 'from the cache' : `from ${source}`})`,
    );
  } catch (error) {
    step.fail();
    if (!(error instanceof ModelUnavailable)) throw error;
    const [first = error.message, ...rest] = error.message.split('\n');
    throw new CommandProblem(first, { ways: rest.map((line) => line.replace(/^ {2}/, '')) });
  }
}

export async function isThere(wish: { model: string; modelsDir: string }): Promise<boolean> {
  try {
    await ensureModel({ ...wish, allowNetwork: false });
    return true;
  } catch (error) {
    if (error instanceof ModelUnavailable) return false;
    throw error;
  }
}

function describe({ source, file, bytes, totalBytes }: ModelProgress): string {
  const megabytes = (count: number) => (count / 1e6).toFixed(1);
  return `${source}, ${file} ${megabytes(bytes)}${totalBytes === null ? '' : ` of ${megabytes(totalBytes)}`} MB`;
}
