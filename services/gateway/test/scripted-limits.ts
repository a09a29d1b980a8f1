import type { LimitedQuery, LimitVerdict, RequestBounds, RequestLimits } from '@vortex/queue';

/** What is judged, and the verdict the test gives; the real thing is tested at its Redis. */
export class ScriptedLimits implements RequestLimits {
  readonly judged: { keyId: string; bounds: RequestBounds; query: LimitedQuery | null }[] = [];
  readonly released: string[] = [];
  /** Of questions that are answered later: what is put by for them stays. */
  readonly left: string[] = [];
  verdict: () => LimitVerdict = () => ({ refusedBy: null, waitMs: 0, states: [] });

  async judge(keyId: string, bounds: RequestBounds, query: LimitedQuery | null) {
    this.judged.push({ keyId, bounds, query });
    return this.verdict();
  }
  release(_keyId: string, { id }: Pick<LimitedQuery, 'id'>, what: 'all' | 'place'): void {
    (what === 'all' ? this.released : this.left).push(id);
  }
  close(): void {}
}
