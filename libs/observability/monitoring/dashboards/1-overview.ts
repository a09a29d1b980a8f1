import { dashboard, graph, quantiles, ratesBy, stat } from './panels.ts';

/** What people who ask notice, and how much of the budget is left. */
export const overview = dashboard({
  uid: 'vortex-overview',
  title: 'Vortex / 1 Overview',
  description:
    'Rate, errors and duration of questions, and the error budget: 99 % answered, 99 % of answers within 3 s.',
  rows: [
    {
      title: 'Now',
      panels: [
        stat({
          title: 'Questions a second',
          description: 'All that ended, however they ended.',
          unit: 'reqps',
          expr: 'sum(rate(api_gateway_queries_total{$own}[$__rate_interval]))',
          decimals: 1,
        }),
        stat({
          title: 'Answered, last hour',
          description: 'Share without error, timeout or refusal for lack of room. The objective is 99 %.',
          unit: 'percentunit',
          expr: '1 - vortex:query_errors:ratio_rate1h',
          bounds: { doubtful: 0.995, bad: 0.99 },
          decimals: 2,
        }),
        stat({
          title: 'Error budget left, 3 days',
          description: 'Of the 1 % that may fail in three days. Below zero the objective was missed.',
          unit: 'percentunit',
          expr: '1 - vortex:query_errors:ratio_rate3d / 0.01',
          bounds: { doubtful: 0.5, bad: 0 },
          decimals: 0,
        }),
        stat({
          title: 'Latency budget left, 3 days',
          description: 'Of the 1 % of answers that may take longer than 3 s.',
          unit: 'percentunit',
          expr: '1 - vortex:query_slow:ratio_rate3d / 0.01',
          bounds: { doubtful: 0.5, bad: 0 },
          decimals: 0,
        }),
        stat({
          title: 'In flight',
          description: 'Questions that gateways wait for.',
          unit: 'short',
          expr: 'sum(api_gateway_inflight_queries{$own})',
        }),
        stat({
          title: 'Alerts firing',
          description: 'Each has a section in docs/10-runbook.md.',
          unit: 'short',
          expr: 'count(ALERTS{alertstate="firing"}) or vector(0)',
          bounds: { doubtful: 1, bad: 2 },
        }),
      ],
    },
    {
      title: 'Rate, errors, duration',
      panels: [
        graph({
          title: 'Outcomes',
          description: 'ok and refused (nothing found that answers) are answers; rejected was not let in.',
          unit: 'reqps',
          queries: [ratesBy('outcome', 'api_gateway_queries_total')],
          stacked: true,
        }),
        graph({
          title: 'Latency of answers',
          description:
            'From the request to the end of its answer. Points are exemplars: the trace of that question.',
          unit: 's',
          queries: quantiles('api_gateway_query_latency_seconds', {
            matchers: 'outcome=~"ok|degraded|refused", mode!="async"',
            exemplars: true,
          }),
        }),
        graph({
          title: 'Time to the first token',
          description: 'Of streams: what a reader waits for.',
          unit: 's',
          queries: quantiles('api_gateway_time_to_first_token_seconds', { exemplars: true }),
        }),
      ],
    },
    {
      title: 'Budget',
      panels: [
        graph({
          title: 'Unanswered',
          description:
            'AvailabilityBudgetFast fires at 14.4 % of an hour, AvailabilityBudgetSlow at 1 % of three days.',
          unit: 'percentunit',
          queries: [
            { expr: 'vortex:query_errors:ratio_rate5m', legend: '5 minutes' },
            { expr: 'vortex:query_errors:ratio_rate1h', legend: '1 hour' },
            { expr: 'vortex:query_errors:ratio_rate6h', legend: '6 hours' },
            { expr: 'vortex:query_errors:ratio_rate3d', legend: '3 days' },
          ],
        }),
        graph({
          title: 'Slower than 3 s',
          description:
            'LatencyBudgetFast fires at 14.4 % of an hour, LatencyBudgetSlow at 1 % of three days.',
          unit: 'percentunit',
          queries: [
            { expr: 'vortex:query_slow:ratio_rate5m', legend: '5 minutes' },
            { expr: 'vortex:query_slow:ratio_rate1h', legend: '1 hour' },
            { expr: 'vortex:query_slow:ratio_rate6h', legend: '6 hours' },
            { expr: 'vortex:query_slow:ratio_rate3d', legend: '3 days' },
          ],
        }),
        graph({
          title: 'Refused at the door',
          description: 'By reason; too_large is the caller’s doing and burns no budget.',
          unit: 'reqps',
          queries: [ratesBy('reason', 'api_gateway_admission_rejected_total')],
          stacked: true,
        }),
      ],
    },
    {
      title: 'HTTP',
      panels: [
        graph({
          title: 'Requests by route',
          description: 'All routes, by template.',
          unit: 'reqps',
          queries: [ratesBy('route', 'api_gateway_http_request_duration_seconds_count')],
          width: 12,
        }),
        graph({
          title: 'Requests by status',
          description: 'By class of status. 4xx is for callers to look at, 5xx for us.',
          unit: 'reqps',
          queries: [ratesBy('status_class', 'api_gateway_http_request_duration_seconds_count')],
          stacked: true,
          width: 6,
        }),
        graph({
          title: 'Streams that ended early',
          description: 'Aborted by the client (who left) or by the server.',
          unit: 'reqps',
          queries: [ratesBy('by', 'api_gateway_stream_aborted_total')],
          width: 6,
        }),
      ],
    },
  ],
});
