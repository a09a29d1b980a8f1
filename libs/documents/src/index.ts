export { identifyChunks } from './chunk-ids.ts';
export type { ChunkSource, Piece } from './chunk-options.ts';
export { chunkText } from './chunker.ts';
export { extractText } from './extract-text.ts';
export { firstHeading } from './markdown-outline.ts';
export { mediaTypeOf } from './media-type.ts';
export type { TextMediaType } from './outline.ts';
export { ContentMissing, createTextStore, type TextStore } from './text-store.ts';
