export { identifyChunks } from './chunk-ids.ts';
export type { ChunkOptions, ChunkSource, Piece } from './chunk-options.ts';
export { chunkPieces, chunkText } from './chunker.ts';
export {
  ContentMissing,
  type ContentStore,
  createContentStore,
  incomingFolder,
} from './content-store.ts';
export {
  type DocumentMediaType,
  documentMediaTypes,
  mediaTypeOfName,
  readFormats,
} from './document-media-types.ts';
export { entriesOf } from './folder-entries.ts';
export { firstHeading } from './markdown-outline.ts';
export { mediaTypeOf } from './media-type.ts';
export type { TextMediaType } from './outline.ts';
export { parseDocument } from './parse/parse-document.ts';
export type { ParsedText, ParseLimits, ParseProgress } from './parse/parsed-text.ts';
export { type ChunkSettings, chunkSettings, documentEdition, settingsHash } from './settings-hash.ts';
export { sniffDocument } from './sniff.ts';
