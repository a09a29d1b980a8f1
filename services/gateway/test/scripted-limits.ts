import type { LimitVerdict, RequestBounds, RequestLimits } from '@vortex/queue';

/** What is judged, and the verdict the test gives; the real thing is tested at its Redis. */
export class ScriptedLimits implements RequestLimits {
  readonly judged: { keyId: string; bounds: RequestBounds; query: { id: string; leaseMs: number } | null }[] =
    [];
  readonly released: string[] = [];
  verdict: () => LimitVerdict = () => ({ refusedBy: null, waitMs: 0, states: [] });

  async judge(keyId: string, bounds: RequestBounds, query: { id: string; leaseMs: number } | null) {
    this.judged.push({ keyId, bounds, query });
    return this.verdict();
  }
  release(_keyId: string, queryId: string): void {
    this.released.push(queryId);
  }
  close(): void {}
}
