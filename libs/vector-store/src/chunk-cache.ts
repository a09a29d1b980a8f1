import type { StoredChunk } from './vector-store.ts';

/** Chunks by id, the least recently used forgotten first when they weigh more than `maxBytes`. */
export class ChunkCache {
  readonly #maxBytes: number;
  /** In order of use: a Map iterates as it was filled. */
  readonly #chunks = new Map<string, StoredChunk>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(id: string): StoredChunk | undefined {
    const chunk = this.#chunks.get(id);
    if (chunk !== undefined) {
      this.#chunks.delete(id);
      this.#chunks.set(id, chunk);
    }
    return chunk;
  }

  put(chunk: StoredChunk): void {
    this.delete(chunk.id);
    this.#chunks.set(chunk.id, chunk);
    this.#bytes += weightOf(chunk);
    for (const oldest of this.#chunks.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.delete(oldest);
    }
  }

  delete(id: string): void {
    const chunk = this.#chunks.get(id);
    if (chunk === undefined) return;
    this.#chunks.delete(id);
    this.#bytes -= weightOf(chunk);
  }
}

/** V8 keeps Latin text at one byte a character and all other at two; 400 bytes are the object around it. */
function weightOf(chunk: StoredChunk): number {
  const headings = chunk.heading_path.reduce((length, heading) => length + heading.length, 0);
  return 400 + 2 * (chunk.text.length + chunk.context.length + chunk.title.length + headings);
}
