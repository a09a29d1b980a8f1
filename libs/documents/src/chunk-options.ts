import type { Chunk } from '@vortex/contracts';
import type { TextMediaType } from './outline.ts';
import type { CountTokens } from './token-counter.ts';

export interface ChunkSource {
  text: string;
  mediaType: TextMediaType;
  /** Stands first in every chunk's context; empty for a document without one. */
  title: string;
}

export interface ChunkOptions {
  /** What the encoder may be given for one chunk: context, text and special tokens together. At least 16. */
  maxTokens: number;
  /** How much of a chunk's end may come again at the next one's start, in whole sentences. 0: nothing. */
  overlapTokens: number;
  countTokens: CountTokens;
  /** Tokens the encoder adds to every text. Default 2, as BERT does. */
  specialTokens?: number;
}

/** A chunk before it has an id. */
export type Piece = Omit<Chunk, 'chunk_id'>;
