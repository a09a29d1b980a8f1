import { stageOfList, stages } from '@vortex/contracts';
import { type QueueName, queue } from './metric-rows/label-sets.ts';
import type { Metrics } from './metrics.ts';

/** What a process does for jobs that nobody looks after any more. */
type CareEvent = 'redelivered' | 'dead' | 'expired';

/**
 * Counts what a caretaker did. Every worker and every submitter has one, for all lists, so each of them shows what
 * may happen to any list at 0 from its start.
 */
export function countCare(metrics: Metrics): (event: CareEvent, list: string) => void {
  for (const one of queue) {
    metrics.add('rag_queue_jobs_total', { queue: one, event: 'redelivered' }, 0);
    metrics.add('rag_queue_jobs_total', { queue: one, event: 'dead' }, 0);
    metrics.add('rag_dead_letters_total', { queue: one, code: 'poison' }, 0);
  }
  for (const lane of ['job:live', 'job:live:low'] as const)
    metrics.add('rag_queue_jobs_total', { queue: lane, event: 'expired' }, 0);

  return (event, list) => {
    // Of an overdue job its lane is known, and no list.
    if (event === 'expired') {
      const lane = list === 'job:live:low' ? 'job:live:low' : 'job:live';
      metrics.add('rag_queue_jobs_total', { queue: lane, event });
      return;
    }
    const known = countedAs(list);
    if (known === null) return;
    metrics.add('rag_queue_jobs_total', { queue: known, event });
    if (event === 'dead') metrics.add('rag_dead_letters_total', { queue: known, code: 'poison' });
  };
}

/** As what a list is counted: a replica's own and that of batch jobs as the generators'; null for a list of nobody's. */
export function countedAs(list: string): QueueName | null {
  const stage = stageOfList(list);
  return stage === null ? null : stages[stage].list;
}
