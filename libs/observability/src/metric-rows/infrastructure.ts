import { buckets, type MetricRow, meteredServices } from './row.ts';

export const infrastructureRows = {
  rag_redis_command_duration_seconds: {
    kind: 'histogram',
    services: meteredServices,
    labels: { group: ['admit', 'claim', 'settle', 'care', 'replica', 'read'] },
    buckets: buckets.quick,
    help: 'Round trips of the queue’s scripts, by what they are for; waits in ioredis included.',
  },
  rag_redis_reconnects_total: {
    kind: 'counter',
    services: meteredServices,
    labels: {},
    help: 'Connections to the queue’s Redis that were lost and came back.',
  },
  rag_build_info: {
    kind: 'gauge',
    services: meteredServices,
    labels: { version: { boundedBy: 'one a process' }, node: { boundedBy: 'one a process' } },
    help: '1, with the version of this process and of its Node.',
  },
} as const satisfies Record<string, MetricRow>;
