export { chooseThreads, type ThreadChoice } from './choose-threads.ts';
export {
  type Embedder,
  EmbedderClosed,
  type EmbedderLoad,
  type Embedding,
  EmbeddingFailed,
  type EmbeddingModel,
  type EmbedOptions,
  type Priority,
} from './embedder.ts';
export {
  type CatalogueModel,
  catalogue,
  catalogueModel,
  defaultModel,
  fingerprintOf,
  type ModelId,
  modelIds,
} from './models/catalogue.ts';
export {
  type EnsureModelOptions,
  ensureModel,
  type ModelFiles,
  type ModelProgress,
  ModelUnavailable,
} from './models/model-files.ts';
export { createThreadEmbedder, type ThreadEmbedderOptions } from './thread-embedder.ts';
export { loadTokenizer, type ModelTokenizer } from './tokenizer.ts';
