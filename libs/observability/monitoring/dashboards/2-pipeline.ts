import { dashboard, graph, meanBy, ratesBy } from './panels.ts';

/** Where a job's time goes: working or waiting, and in which list. */
export const pipeline = dashboard({
  uid: 'vortex-pipeline',
  title: 'Vortex / 2 Pipeline',
  description: 'Stages and lists: service times, waits, depth, age, utilisation, dead letters.',
  rows: [
    {
      title: 'Time',
      panels: [
        graph({
          title: 'Mean service time, stacked',
          description: 'What a question costs at work, stage upon stage.',
          unit: 's',
          queries: [meanBy('stage', 'rag_stage_duration_seconds')],
          stacked: true,
        }),
        graph({
          title: 'Mean wait in lists, stacked',
          description: 'What it costs in waiting. More than the service time: something is full.',
          unit: 's',
          queries: [meanBy('queue', 'rag_queue_wait_seconds')],
          stacked: true,
        }),
        graph({
          title: 'P99 of waits',
          description: 'Over five minutes.',
          unit: 's',
          queries: [{ expr: 'queue:rag_queue_wait_seconds:p99_rate5m', legend: '{{queue}}' }],
        }),
        graph({
          title: 'P50 of stages',
          description: 'Over five minutes.',
          unit: 's',
          queries: [{ expr: 'stage:rag_stage_duration_seconds:p50_rate5m', legend: '{{stage}}' }],
        }),
        graph({
          title: 'P95 of stages',
          description: 'Over five minutes.',
          unit: 's',
          queries: [{ expr: 'stage:rag_stage_duration_seconds:p95_rate5m', legend: '{{stage}}' }],
        }),
        graph({
          title: 'P99 of stages',
          description: 'Over five minutes.',
          unit: 's',
          queries: [{ expr: 'stage:rag_stage_duration_seconds:p99_rate5m', legend: '{{stage}}' }],
        }),
      ],
    },
    {
      title: 'Lists',
      panels: [
        graph({
          title: 'Waiting jobs',
          description: 'Depth of each list; of the generators all lists together.',
          unit: 'short',
          queries: [{ expr: 'queue:rag_queue_depth:max', legend: '{{queue}}' }],
        }),
        graph({
          title: 'Oldest waiting job',
          description: 'QueueStuck looks from 30 s on, QueueGrowing at where it will be in ten minutes.',
          unit: 's',
          queries: [{ expr: 'queue:rag_queue_oldest_age_seconds:max', legend: '{{queue}}' }],
        }),
        graph({
          title: 'To be tried again',
          description: 'Jobs that wait for the moment of their next try.',
          unit: 'short',
          queries: [{ expr: 'max by (queue) (rag_queue_retrying{$own})', legend: '{{queue}}' }],
        }),
        graph({
          title: 'Claimed',
          description: 'Jobs taken from each list in a second. None while something waits is QueueStuck.',
          unit: 'ops',
          queries: [{ expr: 'queue:rag_queue_claimed:rate2m', legend: '{{queue}}' }],
        }),
        graph({
          title: 'What became of jobs',
          description: 'forwarded and completed are the way it should go.',
          unit: 'ops',
          queries: [ratesBy('event', 'rag_queue_jobs_total')],
        }),
        graph({
          title: 'Ends of stages',
          description: 'Outcomes of handlers.',
          unit: 'ops',
          queries: [ratesBy('outcome', 'rag_stage_duration_seconds_count')],
          stacked: true,
        }),
      ],
    },
    {
      title: 'Workers',
      panels: [
        graph({
          title: 'Utilisation',
          description: 'Share of the slots for a list that are taken. Near 1 it begins to wait.',
          unit: 'percentunit',
          queries: [{ expr: 'queue:rag_worker_utilisation:ratio', legend: '{{queue}}' }],
          max: 1,
        }),
        graph({
          title: 'In hand',
          description: 'Jobs that workers work on.',
          unit: 'short',
          queries: [{ expr: 'sum by (queue) (rag_queue_in_progress{$own})', legend: '{{queue}}' }],
          stacked: true,
        }),
        graph({
          title: 'Since the last beat',
          description: 'A lease lasts 10 s; WorkerHeartbeatLost fires at 30.',
          unit: 's',
          queries: [
            {
              expr: 'time() - max by (job, instance) (rag_worker_heartbeat_timestamp_seconds{$own})',
              legend: '{{job}} {{instance}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Dead letters, and a check',
      panels: [
        graph({
          title: 'Kept dead letters',
          description: './vortex dead list shows each with its cause.',
          unit: 'short',
          queries: [{ expr: 'max by (queue) (rag_dead_letters{$own})', legend: '{{queue}}' }],
        }),
        graph({
          title: 'Burials by code',
          description: 'In each window.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (code) (increase(rag_dead_letters_total{$own}[$__rate_interval]))',
              legend: '{{code}}',
            },
          ],
        }),
        graph({
          title: 'Little’s law',
          description:
            'Rate times mean time should be what is in flight. Where they part, somebody counts wrongly.',
          unit: 'short',
          queries: [
            { expr: 'vortex:queries_in_flight:expected5m', legend: 'rate × time' },
            { expr: 'sum(avg_over_time(api_gateway_inflight_queries{$own}[5m]))', legend: 'in flight' },
          ],
        }),
      ],
    },
  ],
});
