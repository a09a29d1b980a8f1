import { createHash } from 'node:crypto';

/**
 * What a tokenizer.json means, without what differs between publishers: the same vocabulary is served with
 * other padding and truncation settings (the Maven jar pads to 128, sentence-transformers' file does not),
 * so a hash of the bytes would refuse good files. Digested: words in id order, how text is cleaned and
 * split, and the special tokens put around it.
 *
 * @returns a SHA-256 in hex; null when the text is no such file.
 */
function tokenizerDigest(json: string): string | null {
  let file: TokenizerFile;
  try {
    file = JSON.parse(json) as TokenizerFile;
  } catch {
    return null;
  }
  const vocabulary = file?.model?.vocab;
  if (typeof vocabulary !== 'object' || vocabulary === null) return null;
  const words = Object.entries(vocabulary).sort(([, a], [, b]) => a - b);
  const hash = createHash('sha256');
  for (const [word, id] of words) hash.update(`${id} ${word}\n`);
  hash.update(
    JSON.stringify([
      sorted(file.model?.type),
      sorted(file.model?.unk_token),
      sorted(file.model?.continuing_subword_prefix),
      sorted(file.normalizer),
      sorted(file.pre_tokenizer),
      sorted(file.post_processor),
    ]),
  );
  return hash.digest('hex');
}

interface TokenizerFile {
  normalizer?: unknown;
  pre_tokenizer?: unknown;
  post_processor?: unknown;
  model?: {
    type?: unknown;
    unk_token?: unknown;
    continuing_subword_prefix?: unknown;
    vocab?: Record<string, number>;
  };
}

/** Keys in one order at every depth, so that two writers of the same value agree. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** BERT's uncased English tokenizer, 30,522 words: shared by both models of the catalogue. */
const uncasedBertDigest = 'eda2cf9aef859f9918ad584cafbe679b036630a42e4e31aadbe20247b8a72cf5';

/** Files met so far (the two Maven jars', sentence-transformers'): accepted without parsing 700 kB and its 30 MB of garbage. */
const knownBytes: ReadonlySet<string> = new Set([
  'da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0',
  'd241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66',
  'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
]);

/** Whether a tokenizer.json is the one both models were trained with, whoever published it. */
export function isUncasedBertTokenizer(json: string): boolean {
  const sha256 = createHash('sha256').update(json).digest('hex');
  return knownBytes.has(sha256) || tokenizerDigest(json) === uncasedBertDigest;
}
