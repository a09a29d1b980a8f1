import type { Cache } from '@vortex/cache';

/** The cache port on a map, for tests of what is kept and given; what a Redis adds is in `libs/cache/test`. */
export class MemoryCache implements Cache {
  readonly entries = new Map<string, Buffer>();
  /** Look-ups so far. */
  asked = 0;
  available = true;

  async get(keys: readonly string[]): Promise<readonly (Buffer | null)[] | null> {
    if (!this.available) return null;
    this.asked += 1;
    return keys.map((key) => this.entries.get(key) ?? null);
  }
  put(key: string, value: string | Buffer, ttlMs: number): void {
    if (this.available && ttlMs > 0) this.entries.set(key, Buffer.from(value));
  }
  readonly isConfigured = true;
  /** It knows no scripts. */
  async run(): Promise<null> {
    return null;
  }
  isAvailable(): boolean {
    return this.available;
  }
  onAvailable(): void {}
  close(): void {}
}
