import { dashboard, graph, quantiles, ratesBy, stat } from './panels.ts';

/** The replicas: who has what, how quick each is, which is out. */
export const generators = dashboard({
  uid: 'vortex-generators',
  title: 'Vortex / 3 Generators',
  description: 'Load, state and pace of the generator replicas and their language model.',
  rows: [
    {
      title: 'Replicas',
      panels: [
        stat({
          title: 'Taking work',
          description: 'Replicas that are up, or on trial.',
          unit: 'short',
          expr: 'sum(max by (replica, state) (rag_replica_state{$own, state=~"up|half_open"}))',
          bounds: { doubtful: 2, bad: 1 },
        }),
        stat({
          title: 'Load, highest to mean',
          description: '1 is fair. ReplicaImbalance fires above 2.',
          unit: 'short',
          expr: 'max(avg_over_time(api_gateway_replica_load{$own}[5m])) / avg(avg_over_time(api_gateway_replica_load{$own}[5m]))',
          bounds: { doubtful: 1.5, bad: 2 },
          decimals: 2,
        }),
        stat({
          title: 'Retry budget',
          description: 'Retries of generation that may be made at once.',
          unit: 'short',
          expr: 'min(api_gateway_retry_budget{$own})',
          bounds: { doubtful: 5, bad: 1 },
          decimals: 1,
        }),
        stat({
          title: 'Tokens a second',
          description: 'Written by all replicas together.',
          unit: 'short',
          expr: 'sum(rate(rag_generation_tokens_total{$own, direction="out"}[$__rate_interval]))',
          decimals: 1,
        }),
        stat({
          title: 'Tokens, last day',
          description: 'In and out. CostBurn fires at four fifths of the budget.',
          unit: 'short',
          expr: 'sum(increase(rag_generation_tokens_total{$own}[1d]))',
          decimals: 0,
        }),
        stat({
          title: 'Of the token budget',
          description: 'The budget stands in deploy/prometheus/recording.yml.',
          unit: 'percentunit',
          expr: 'sum(increase(rag_generation_tokens_total{$own}[1d])) / scalar(vortex:generation_tokens_per_day:budget)',
          bounds: { doubtful: 0.6, bad: 0.8 },
          decimals: 1,
        }),
        graph({
          title: 'Load',
          description: 'Leases of each replica; the next question goes to the lowest.',
          unit: 'short',
          queries: [{ expr: 'max by (replica) (api_gateway_replica_load{$own})', legend: '{{replica}}' }],
        }),
        graph({
          title: 'Takes work',
          description: '1 up, 0.5 on trial, 0 out.',
          unit: 'short',
          queries: [{ expr: 'max by (replica) (api_gateway_replica_state{$own})', legend: '{{replica}}' }],
          max: 1,
        }),
        graph({
          title: 'Changes of state',
          description: 'In each window. ReplicaFlapping fires at more than four in 15 minutes.',
          unit: 'short',
          queries: [
            {
              expr: 'max by (replica, to) (increase(rag_replica_transitions_total{$own}[$__rate_interval]))',
              legend: '{{replica}} {{to}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Language model',
      panels: [
        graph({
          title: 'First token',
          description: 'From the call of the model to its first token; without what came before.',
          unit: 's',
          queries: quantiles('rag_generation_first_token_seconds', { exemplars: true }),
        }),
        graph({
          title: 'Time per token',
          description: 'Pace after the first.',
          unit: 's',
          queries: quantiles('rag_generation_time_per_output_token_seconds'),
        }),
        graph({
          title: 'Tokens',
          description: 'Read and written in a second.',
          unit: 'short',
          queries: [ratesBy('direction', 'rag_generation_tokens_total')],
        }),
        graph({
          title: 'Calls by outcome',
          description: 'Everything but ok counts for the breaker, aborted and client_error excepted.',
          unit: 'ops',
          queries: [ratesBy('outcome', 'rag_llm_requests_total')],
          stacked: true,
        }),
        graph({
          title: 'Moves of breakers',
          description: 'As the replicas learnt of them, in each window.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (to) (increase(rag_breaker_transitions_total{$own}[$__rate_interval]))',
              legend: '{{to}}',
            },
          ],
        }),
        graph({
          title: 'Slots',
          description: 'Taken, and there.',
          unit: 'short',
          queries: [
            {
              expr: 'sum(rag_worker_busy{$own, queue="job:llm_in"} * rag_worker_slots{$own, queue="job:llm_in"})',
              legend: 'taken',
            },
            { expr: 'sum(rag_worker_slots{$own, queue="job:llm_in"})', legend: 'there' },
          ],
        }),
      ],
    },
  ],
});
