import { stages } from '@vortex/contracts';
import type { Metrics } from '@vortex/observability';
import type { DeadLetters } from '@vortex/queue';

/** `rag_dead_letters` is read anew for each scrape; while Redis is away it keeps what was seen last. */
export function mirrorDeadLetters(metrics: Metrics, deadLetters: Pick<DeadLetters, 'counts'>): void {
  metrics.beforeScrape(async () => {
    for (const [stage, count] of await deadLetters.counts()) {
      metrics.set('rag_dead_letters', { queue: stages[stage].list }, count);
    }
  });
}
