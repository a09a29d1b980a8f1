import type { Chunk, ChunkingStrategy } from '@vortex/contracts';
import type { TextMediaType } from './outline.ts';
import type { CountTokens } from './token-counter.ts';

export interface ChunkSource {
  text: string;
  mediaType: TextMediaType;
  /** Stands first in every chunk's context; empty for a document without one. */
  title: string;
  /** Where pages start (UTF-16 offsets, ascending); no piece reaches over such a place. Null or missing: no pages. */
  pages?: readonly { start: number }[] | null;
}

export interface ChunkOptions {
  /**
   * `structure` (default): at headings, paragraphs, items, rows, then sentences. `sentence`: whole sentences, whatever
   * the structure. `fixed`: as many words as fit.
   */
  strategy?: ChunkingStrategy;
  /** What the encoder may be given for one chunk: context, text and special tokens together. At least 16. */
  maxTokens: number;
  /** How much of a chunk's end may come again at the next one's start, in whole sentences (`fixed`: words). 0: nothing. */
  overlapTokens: number;
  countTokens: CountTokens;
  /** Tokens the encoder adds to every text. Default 2, as BERT does. */
  specialTokens?: number;
}

/** A chunk before it has an id. */
export type Piece = Omit<Chunk, 'chunk_id'>;
