import { batchLists, generatorList, stageNames, stages } from '@vortex/contracts';
import { countedAs, type Metrics, type QueueName } from '@vortex/observability';
import type { QueueInspector } from '@vortex/queue';

interface Sum {
  waiting: number;
  retrying: number;
  /** Null: something waits, and does not say since when. */
  ageMs: number | null;
}

/**
 * Depth and oldest age of every list, read anew for each scrape; while Redis is away they keep what was seen last. No
 * worker tells them: a list whose workers are all dead is the one that matters.
 */
export function mirrorQueues(
  metrics: Metrics,
  inspector: Pick<QueueInspector, 'queues'>,
  /** Whose own lists there are. */
  generators: () => readonly string[],
): void {
  const shared = [...stageNames.map((stage) => stages[stage].list), ...Object.values(batchLists)];
  metrics.beforeScrape(async () => {
    const states = await inspector.queues([...shared, ...generators().map(generatorList)]);
    const sums = new Map<QueueName, Sum>();
    for (const { name, waiting, retry, oldest_age_ms: ageMs } of states) {
      const queue = countedAs(name);
      if (queue === null) continue;
      const sum = sums.get(queue) ?? { waiting: 0, retrying: 0, ageMs: 0 };
      sum.waiting += waiting;
      sum.retrying += retry ?? 0;
      if (waiting > 0) sum.ageMs = ageMs === null || sum.ageMs === null ? null : Math.max(sum.ageMs, ageMs);
      sums.set(queue, sum);
    }
    for (const [queue, { waiting, retrying, ageMs }] of sums) {
      metrics.set('rag_queue_depth', { queue }, waiting);
      metrics.set('rag_queue_retrying', { queue }, retrying);
      if (ageMs === null) metrics.forget('rag_queue_oldest_age_seconds', { queue });
      else metrics.set('rag_queue_oldest_age_seconds', { queue }, ageMs / 1000);
    }
  });
}
