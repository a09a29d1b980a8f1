import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { catalogueModel } from './models/catalogue.ts';
import { tokenizerFile } from './models/source.ts';

/**
 * A model's own tokenizer without the model: 3 MB and a few milliseconds to import, where
 * @xenova/transformers takes 46 MB for onnxruntime and sharp. transformers.js uses the same package inside.
 */
export interface ModelTokenizer {
  /** Two special tokens included. */
  readonly maxTokens: number;
  /** Tokens a text adds to its input: special tokens not counted. */
  countTokens(text: string): number;
  /** Ids with the special tokens; a longer text loses its end, not the closing token. */
  encode(text: string): { ids: number[]; truncated: boolean };
}

/**
 * Reads the tokenizer of a model that `ensureModel` has put in the folder.
 * @throws RangeError for an unknown model; the file's own error when it is missing.
 */
export async function loadTokenizer(options: { model: string; modelsDir: string }): Promise<ModelTokenizer> {
  const model = catalogueModel(options.model);
  const folder = join(options.modelsDir, model.id);
  const [vocabulary, settings] = await Promise.all(
    [tokenizerFile, 'tokenizer_config.json'].map(async (file): Promise<object> => {
      return JSON.parse(await readFile(join(folder, file), 'utf8'));
    }),
  );
  const tokenizer = new Tokenizer(vocabulary ?? {}, settings ?? {});
  const { maxTokens } = model;
  return {
    maxTokens,
    countTokens: (text) => tokenizer.encode(text, { add_special_tokens: false }).ids.length,
    encode(text) {
      const { ids } = tokenizer.encode(text);
      if (ids.length <= maxTokens) return { ids, truncated: false };
      // sentence-transformers cuts the same way: the closing [SEP] stays the last token.
      const closing = ids[ids.length - 1] as number;
      return { ids: [...ids.slice(0, maxTokens - 1), closing], truncated: true };
    },
  };
}
