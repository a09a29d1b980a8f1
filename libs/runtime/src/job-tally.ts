import { failureCodes } from '@vortex/contracts';
import { type LabelsOf, type Metrics, metricTable, type QueueName } from '@vortex/observability';

type Labels = LabelsOf<'rag_queue_jobs_total'>;
export type JobEvent = Labels['event'];

/**
 * Counts what becomes of jobs, and hands the sums to the metrics when they are scraped: two labelled
 * counters per job and stage were 3 % of a busy worker's CPU.
 */
export type JobTally = (queue: Labels['queue'], event: JobEvent, count?: number) => void;

export function createJobTally(metrics: Metrics): JobTally {
  const sums = new Map<Labels['queue'], Map<JobEvent, number>>();
  metrics.beforeScrape(() => {
    for (const [queue, events] of sums) {
      for (const [event, sum] of events) metrics.add('rag_queue_jobs_total', { queue, event }, sum);
    }
    sums.clear();
  });
  return (queue, event, count = 1) => {
    let events = sums.get(queue);
    if (events === undefined) {
      events = new Map();
      sums.set(queue, events);
    }
    events.set(event, (events.get(event) ?? 0) + count);
  };
}

/** What may be counted of a list stands at 0 from the start, or the first of its kind would be no increase. */
export function beginCounting(metrics: Metrics, queue: QueueName): void {
  const { event } = metricTable.rag_queue_jobs_total.labels;
  for (const one of event) metrics.add('rag_queue_jobs_total', { queue, event: one }, 0);
  for (const code of failureCodes) metrics.add('rag_dead_letters_total', { queue, code }, 0);
}
