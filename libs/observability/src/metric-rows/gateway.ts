import { queryMode, queryOutcome, replica } from './label-sets.ts';
import { buckets, type MetricRow } from './row.ts';

const gateway = ['gateway'] as const;

export const gatewayRows = {
  api_gateway_queries_total: {
    kind: 'counter',
    services: gateway,
    labels: { outcome: queryOutcome, mode: queryMode },
    help: 'Queries answered, by how they ended and how they were asked.',
  },
  api_gateway_query_latency_seconds: {
    kind: 'histogram',
    services: gateway,
    labels: { outcome: queryOutcome, mode: queryMode, cache: ['hit', 'shared', 'miss'] },
    buckets: buckets.latency,
    exemplars: true,
    help: 'Time from the request to the end of its answer; cache says whether the answer was kept (hit), that of an identical query under way (shared), or made for it (miss).',
  },
  api_gateway_inflight_queries: {
    kind: 'gauge',
    services: gateway,
    labels: {},
    help: 'Queries this gateway waits for.',
  },
  api_gateway_shared_queries_total: {
    kind: 'counter',
    services: gateway,
    labels: {},
    help: 'Queries that waited for the answer to an identical one instead of running themselves.',
  },
  api_gateway_admission_rejected_total: {
    kind: 'counter',
    services: gateway,
    labels: {
      reason: [
        ...['overloaded', 'no_capacity', 'queue_full', 'unavailable', 'limit', 'too_large', 'storage_full'],
      ],
    },
    help: 'Requests refused at the door: too late if let in, no generator there, too many jobs waiting, Redis or registry away, a limit of its key, too large, disk full.',
  },
  api_gateway_http_request_duration_seconds: {
    kind: 'histogram',
    services: gateway,
    labels: {
      method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'],
      route: { boundedBy: 'the route templates, and `unmatched`' },
      status_class: ['1xx', '2xx', '3xx', '4xx', '5xx'],
    },
    buckets: buckets.http,
    help: 'HTTP requests by route template.',
  },
  api_gateway_time_to_first_token_seconds: {
    kind: 'histogram',
    services: gateway,
    labels: {},
    buckets: buckets.firstToken,
    exemplars: true,
    help: 'Streams: from the request to the first delta.',
  },
  api_gateway_stream_aborted_total: {
    kind: 'counter',
    services: gateway,
    labels: { by: ['client', 'server'] },
    help: 'Streams that ended early, by client or server.',
  },
  api_gateway_replica_load: {
    kind: 'gauge',
    services: gateway,
    labels: { replica },
    help: 'Leases a generator replica holds; the same number as llm:load:<URL>.',
  },
  api_gateway_replica_state: {
    kind: 'gauge',
    services: gateway,
    labels: { replica },
    help: 'Whether a generator replica takes work: 1 up, 0.5 on trial (half open), 0 not (breaker open, draining, down).',
  },
  api_gateway_retry_budget: {
    kind: 'gauge',
    services: gateway,
    labels: {},
    help: 'Retries of generation that may be made at once; each first try adds a tenth.',
  },
} as const satisfies Record<string, MetricRow>;
