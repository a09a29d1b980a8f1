import { createKernel, numbersPerStep, pageBytes } from './vector-kernel.ts';

/**
 * Vectors of one dimension in rows without gaps, compared by cosine with all of them at once.
 * Layout of the kernel's memory: the query, then `capacity` rows, then `capacity` scores.
 */
export class VectorMatrix {
  readonly dimension: number;
  readonly #rowBytes: number;
  readonly #kernel = createKernel();
  #capacity = 0;
  #size = 0;

  constructor(dimension: number) {
    this.dimension = dimension;
    this.#rowBytes = Math.ceil(dimension / numbersPerStep) * numbersPerStep * 4;
    this.#grow(64);
  }

  get size(): number {
    return this.#size;
  }

  /** What the matrix holds of memory. */
  get bytes(): number {
    return this.#kernel.memory.buffer.byteLength;
  }

  /** Overwrites row `index`, or adds it when it is the next one. */
  set(index: number, vector: Float32Array): void {
    if (index === this.#size) this.#size += 1;
    if (this.#size > this.#capacity) this.#grow(this.#capacity * 2);
    this.#write(this.#rowBytes * (index + 1), vector);
  }

  /** Removes row `index` by moving the last row into its place. */
  remove(index: number): void {
    this.#size -= 1;
    const rows = new Uint8Array(this.#kernel.memory.buffer, this.#rowBytes);
    const last = this.#size * this.#rowBytes;
    if (index !== this.#size) rows.copyWithin(index * this.#rowBytes, last, last + this.#rowBytes);
  }

  /** The cosine of `vector` and each row. Valid until the next call on this matrix. */
  cosines(vector: Float32Array): Float32Array {
    const scoresAt = this.#rowBytes * (this.#capacity + 1);
    this.#write(0, vector);
    if (this.#size > 0) {
      this.#kernel.dotProducts(0, this.#rowBytes, this.#size, this.#rowBytes, scoresAt);
    }
    return new Float32Array(this.#kernel.memory.buffer, scoresAt, this.#size);
  }

  /** Writes the vector's direction: with unit vectors a dot product is the cosine. */
  #write(at: number, vector: Float32Array): void {
    let squares = 0;
    for (const value of vector) squares += value * value;
    const scale = 1 / Math.sqrt(squares);
    const place = new Float32Array(this.#kernel.memory.buffer, at, this.dimension);
    for (let index = 0; index < place.length; index += 1) place[index] = (vector[index] ?? 0) * scale;
  }

  #grow(capacity: number): void {
    const needed = this.#rowBytes * (capacity + 1) + capacity * 4;
    const missing = needed - this.#kernel.memory.buffer.byteLength;
    if (missing > 0) this.#kernel.memory.grow(Math.ceil(missing / pageBytes));
    // New memory is zero, and so is a row's padding; where scores were, rows will be: clear them.
    const end = this.#rowBytes * (this.#capacity + 1);
    new Uint8Array(this.#kernel.memory.buffer, end, this.#capacity * 4).fill(0);
    this.#capacity = capacity;
  }
}
