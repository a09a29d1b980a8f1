import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureModel, type ModelFiles } from '../src/index.ts';

/** Shared by all suites and runs, so that a model is fetched once per machine. */
export const testModelsDir = process.env.VORTEX_TEST_MODELS_DIR ?? join(tmpdir(), 'vortex-test-models');

export function testModel(model: string): Promise<ModelFiles> {
  return ensureModel({ model, modelsDir: testModelsDir, hfEndpoint: process.env.HF_ENDPOINT ?? null });
}
