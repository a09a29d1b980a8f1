import type { ExplainedQuery, ExplainStore } from '@vortex/cache';

/** Stories on a map, written down at once; what a Redis adds is in `libs/cache/test`. */
export class MemoryExplain implements ExplainStore {
  readonly stories = new Map<string, Record<string, unknown>>();
  isAvailable = true;
  on = true;

  note({ id, tenant }: ExplainedQuery, part: string, tell: () => object): void {
    const key = `${id} ${tenant}`;
    this.stories.set(key, { ...this.stories.get(key), [part]: JSON.parse(JSON.stringify(tell())) });
  }
  async read({ id, tenant }: ExplainedQuery): Promise<Record<string, unknown> | null | 'unavailable'> {
    return this.isAvailable ? (this.stories.get(`${id} ${tenant}`) ?? null) : 'unavailable';
  }
  isOn(): boolean {
    return this.on;
  }
  close(): void {}
}
