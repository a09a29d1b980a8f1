import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { defaultModel } from '@vortex/embedding';
import { prepareModel } from './prepare-model.ts';
import type { Terminal } from './terminal.ts';

/** `./vortex model --to FOLDER`: for images, and for machines that have no network of their own. */
export async function fetchModel(options: { to: string; model?: string }, terminal: Terminal): Promise<void> {
  const modelsDir = resolve(options.to);
  mkdirSync(modelsDir, { recursive: true });
  const model = options.model ?? defaultModel;
  await prepareModel({ model, modelsDir, hfEndpoint: process.env.HF_ENDPOINT ?? null }, terminal);
  console.log(`${modelsDir} holds ${model}`);
}
