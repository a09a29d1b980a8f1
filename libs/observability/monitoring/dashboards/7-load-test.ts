import {
  AnnotationQueryBuilder,
  AnnotationTargetBuilder,
  TextBoxVariableBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, graph, meanBy, quantiles, ratesBy } from './panels.ts';

const tags = new AnnotationTargetBuilder()
  .type('tags')
  .tags(['vortex-loadtest', '$run'])
  .matchAny(false)
  .limit(100)
  .build();

/**
 * A run of the load tester, from the server's side: beside its report, which has the clients'. Start and end of runs are
 * annotations with the tags `vortex-loadtest` and the run's id (docs/04-operations.md says how they get there).
 */
export const loadTest = dashboard({
  uid: 'vortex-load-test',
  title: 'Vortex / 7 Load-test run',
  description:
    'One run of the load tester as the server saw it: what came, what became of it, what was full.',
  rows: [
    {
      title: 'Offered and done',
      panels: [
        graph({
          title: 'Came and went',
          description:
            'Requests for answers in a second, and how they ended. Where they part, something fills.',
          unit: 'reqps',
          queries: [ratesBy('outcome', 'api_gateway_queries_total')],
          stacked: true,
          width: 12,
        }),
        graph({
          title: 'In flight',
          description: 'With 50 workers of a closed loop this is 50 or less.',
          unit: 'short',
          queries: [{ expr: 'sum(api_gateway_inflight_queries{$own})', legend: 'in flight' }],
          width: 12,
        }),
        graph({
          title: 'Response time',
          description: 'Measured at the server; the report measures from the planned start.',
          unit: 's',
          queries: quantiles('api_gateway_query_latency_seconds', {
            matchers: 'mode!="async"',
            exemplars: true,
          }),
          width: 12,
        }),
        graph({
          title: 'Refused at the door',
          description: 'Overload is answered with 503 at once.',
          unit: 'reqps',
          queries: [ratesBy('reason', 'api_gateway_admission_rejected_total')],
          stacked: true,
          width: 12,
        }),
      ],
    },
    {
      title: 'Where the time goes',
      panels: [
        graph({
          title: 'Work',
          description: 'Mean service time, stage upon stage.',
          unit: 's',
          queries: [meanBy('stage', 'rag_stage_duration_seconds')],
          stacked: true,
        }),
        graph({
          title: 'Waiting',
          description: 'Mean wait, list upon list.',
          unit: 's',
          queries: [meanBy('queue', 'rag_queue_wait_seconds')],
          stacked: true,
        }),
        graph({
          title: 'Share per replica',
          description: 'Load of each generator.',
          unit: 'short',
          queries: [{ expr: 'max by (replica) (api_gateway_replica_load{$own})', legend: '{{replica}}' }],
          stacked: true,
        }),
      ],
    },
    {
      title: 'What is full',
      panels: [
        graph({
          title: 'Utilisation',
          description: 'The stage at 1 is the bottleneck.',
          unit: 'percentunit',
          queries: [{ expr: 'queue:rag_worker_utilisation:ratio', legend: '{{queue}}' }],
          max: 1,
        }),
        graph({
          title: 'CPU',
          description: 'Cores, process upon process.',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (job) (rate(process_cpu_seconds_total{$own}[$__rate_interval]))',
              legend: '{{job}}',
            },
          ],
          stacked: true,
        }),
        graph({
          title: 'Event loop, P99 of its lag',
          description: 'Highest of each service.',
          unit: 's',
          queries: [{ expr: 'max by (job) (nodejs_eventloop_lag_p99_seconds{$own})', legend: '{{job}}' }],
        }),
      ],
    },
  ],
})
  .withVariable(
    new TextBoxVariableBuilder('run')
      .label('Run')
      .description('Id of a run; empty for all')
      .defaultValue('vortex-loadtest'),
  )
  .annotation(
    new AnnotationQueryBuilder()
      .name('Load-test runs')
      .datasource({ type: 'grafana', uid: '-- Grafana --' })
      .enable(true)
      .iconColor('orange')
      .target({ build: () => ({ ...tags, _implementsDataqueryVariant: () => {} }) }),
  );
