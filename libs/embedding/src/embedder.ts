/**
 * The port: texts in, unit vectors out. `libs/embedding/src/conformance.ts` is what every adapter must pass.
 */
export interface Embedder {
  readonly model: EmbeddingModel;
  /**
   * One embedding per text, in the order given. A text longer than `model.maxTokens` is cut and says so.
   * @throws DOMException `AbortError` (or the signal's own reason) when the signal fires first.
   * @throws EmbedderClosed when `close` was called, EmbeddingFailed when a text could not be embedded twice.
   */
  embed(texts: readonly string[], options: EmbedOptions): Promise<Embedding[]>;
  /** What waits and runs now, for gauges and readiness. */
  load(): EmbedderLoad;
  /** Rejects what waits, stops the threads. May be called twice. */
  close(): Promise<void>;
}

export interface EmbeddingModel {
  id: string;
  /** Numbers per vector. */
  dimension: number;
  /** Names the vector space: vectors of two fingerprints must never be compared. */
  fingerprint: string;
  /** Tokens one text may have, the two special ones included. */
  maxTokens: number;
}

export interface EmbedOptions {
  /** A question a person waits for, or a document's chunk. */
  priority: Priority;
  /** Some models put an instruction in front of questions. */
  kind: 'query' | 'passage';
  signal?: AbortSignal;
}

export type Priority = 'interactive' | 'low';

export interface Embedding {
  /** L2-normalised: a dot product of two is their cosine. */
  vector: Float32Array;
  /** Tokens the model saw, special ones and query prefix included. */
  tokens: number;
  /** The text was longer than the model takes; its end is not in the vector. */
  truncated: boolean;
  /** What the model took for it, without its wait; absent where nobody measured. */
  inferenceMs?: number;
}

export interface EmbedderLoad {
  waiting: Record<Priority, number>;
  running: number;
  /** Inference threads able to work; 0 means that nothing moves. */
  threads: number;
  /** Threads replaced after a crash. */
  restarts: number;
}

export class EmbedderClosed extends Error {
  constructor() {
    super('the embedder is closed: it stops with its process, send the text to another encoder');
    this.name = 'EmbedderClosed';
  }
}

/** A text that brought inference down twice, or that the model refused. */
export class EmbeddingFailed extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EmbeddingFailed';
  }
}
