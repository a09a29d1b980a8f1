import type { ChunkSettings, Piece } from '@vortex/documents';

/**
 * The port between the ingest stage and what parses and cuts documents: files in, files out, so that neither side
 * holds more of a document than it works on. What is written below `outDir` is finished when `read` resolves, and a
 * second `read` into the same folder answers from it without reading the document again.
 *
 * `readShort` answers with the document itself and writes nothing: of a text of a kilobyte, files that are written,
 * hashed, read and removed cost more than reading it (1.5 of 9.5 ms of CPU beside the encoder). Whoever takes
 * such a document over reads it again.
 */
export interface DocumentReader {
  /** @throws as `read` does. */
  readShort(request: DocumentRequest, hooks: ReadHooks): Promise<ShortDocument>;
  /**
   * @throws StageFailure `empty_document`, `no_text_layer`, `encrypted_pdf`, `encrypted_document`, `corrupt_file`,
   * `unsupported_type`, `parse_limits_exceeded` (no retry helps), or another error (one may); AbortError when the
   * signal fires, and nothing works on the document any more then.
   */
  read(request: ReadRequest, hooks: ReadHooks): Promise<ReadDocument>;
  /** Resolves when the tokenizer's files are there. @throws the reason why not. */
  warmUp(): Promise<void>;
  close(): Promise<void>;
}

export interface ReadHooks {
  signal: AbortSignal;
  onProgress: (progress: ReadProgress) => void;
}

export interface DocumentRequest {
  /** The original. */
  file: string;
  /** As the gateway sniffed it. */
  mediaType: string;
  filename: string | null;
  /** A title somebody gave; it stands in front of every chunk. Null: none. */
  title: string | null;
  chunking: ChunkSettings;
}

export interface ReadRequest extends DocumentRequest {
  /** Made when missing. */
  outDir: string;
}

/** Work done of the work there is; `total` is null while it is not known. */
export interface ReadProgress {
  /** `wait`: it was begun, took long, and will be begun again in the lane of long documents. */
  stage: 'wait' | 'parse' | 'chunk';
  done: number;
  total: number | null;
  unit: 'bytes' | 'pages' | 'characters' | 'entries';
}

/**
 * The document takes long, and as many that do are waiting as may: it is to be asked for again later. It keeps no place
 * meanwhile, for whoever has a place and waits here takes it from those that are read in a millisecond.
 */
export class ReaderBusy extends Error {
  constructor() {
    super('other documents that take long to read come first');
    this.name = 'ReaderBusy';
  }
}

/** What is known of a document once it has been read. */
export interface ReadFacts {
  /** SHA-256 of the text's bytes, its name in the text store. */
  textHash: string;
  /** UTF-16 code units, which offsets count. */
  characters: number;
  /** Null where the format has none. */
  pages: number | null;
  /** The document's own title (its metadata, or first heading); null when it has none. */
  title: string | null;
  pieces: number;
  tokens: number;
}

export interface ShortDocument extends ReadFacts {
  /** UTF-8. */
  textBytes: Uint8Array;
  allPieces: Piece[];
}

export interface ReadDocument extends ReadFacts {
  /** UTF-8, synced. */
  textFile: string;
  /** One piece per line, JSON; see `readPieces`. */
  piecesFile: string;
}

/** The pieces of a read document from ordinal `from` on, without holding more than a few. */
export type ReadPieces = (piecesFile: string, from?: number) => AsyncIterable<Piece>;
