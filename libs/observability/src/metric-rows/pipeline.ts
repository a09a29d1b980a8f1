import { code, queue, queueOrLane, replica, stage } from './label-sets.ts';
import { buckets, type MetricRow, meteredServices, workers } from './row.ts';

/** Queues, workers and replicas: what every stage is measured by, whatever it does. */
export const pipelineRows = {
  rag_stage_duration_seconds: {
    kind: 'histogram',
    services: workers,
    labels: {
      stage,
      outcome: ['forwarded', 'completed', 'rejected', 'later', 'failed', 'expired', 'returned', 'cancelled'],
    },
    buckets: buckets.latency,
    exemplars: true,
    help: 'Service time of a stage, without the wait in its list.',
  },
  rag_queue_wait_seconds: {
    kind: 'histogram',
    services: workers,
    labels: { queue },
    buckets: buckets.quick,
    help: 'Time a job waited in a list before it was claimed.',
  },
  rag_queue_jobs_total: {
    kind: 'counter',
    services: meteredServices,
    labels: {
      queue: queueOrLane,
      event: [
        'claimed',
        'forwarded',
        'completed',
        'retried',
        'dead',
        'expired',
        'cancelled',
        'fenced',
        'adopted',
        'redelivered',
        'returned',
      ],
    },
    help: 'Jobs by what became of them; those whose deadline passed in nobody’s hands count for their lane (job:live, job:live:low).',
  },
  rag_queue_depth: {
    kind: 'gauge',
    services: ['gateway'],
    labels: { queue },
    help: 'Jobs that wait in a list; for generators the replicas’ own lists and that of batch jobs are counted with the shared one.',
  },
  rag_queue_oldest_age_seconds: {
    kind: 'gauge',
    services: ['gateway'],
    labels: { queue },
    help: 'How long the job at the head of a list has waited; 0 when none waits. Absent where the head does not say (bare ids).',
  },
  rag_queue_retrying: {
    kind: 'gauge',
    services: ['gateway'],
    labels: { queue },
    help: 'Jobs that wait for the moment of their next try.',
  },
  rag_queue_in_progress: {
    kind: 'gauge',
    services: workers,
    labels: { queue },
    help: 'Jobs this process works on.',
  },
  rag_dead_letters_total: {
    kind: 'counter',
    services: meteredServices,
    labels: { queue, code },
    help: 'Jobs that were buried, by queue and failure code.',
  },
  rag_dead_letters: {
    kind: 'gauge',
    services: ['gateway'],
    labels: { queue },
    help: 'Dead letters that are kept (at most a thousand, or 16 MiB, a queue), as the gateway finds them.',
  },
  rag_worker_heartbeat_timestamp_seconds: {
    kind: 'gauge',
    services: workers,
    labels: { role: { boundedBy: 'the services that take jobs' } },
    help: 'Unix time of the last beat Redis accepted.',
  },
  rag_worker_busy: {
    kind: 'gauge',
    services: workers,
    labels: { queue },
    help: 'Share of the slots for a list that are taken, 0 to 1.',
  },
  rag_worker_slots: {
    kind: 'gauge',
    services: workers,
    labels: { queue },
    help: 'Jobs of a list that this process takes at a time.',
  },
  rag_replica_state: {
    kind: 'gauge',
    services: ['gateway'],
    labels: { replica, state: ['up', 'half_open', 'open', 'draining', 'down'] },
    help: '1 for the state a generator replica is in, 0 for the others.',
  },
  rag_replica_transitions_total: {
    kind: 'counter',
    services: ['gateway'],
    labels: { replica, to: ['up', 'half_open', 'open', 'draining', 'down'] },
    help: 'Changes of a replica’s state as this gateway saw them, looking once a second.',
  },
  rag_breaker_transitions_total: {
    kind: 'counter',
    services: ['llm-generator'],
    labels: { to: ['closed', 'half_open', 'open'] },
    help: 'Moves of this replica’s breaker, as it learnt of them.',
  },
} as const satisfies Record<string, MetricRow>;
