import { describe, expect, it } from 'vitest';
import { checkQuery } from './check-query.ts';
import { knownSeries, ruleFiles } from './known-series.ts';

const known = knownSeries();
const check = (query: string) => checkQuery(query, known);

describe('checkQuery', () => {
  it('passes what the table has', () => {
    expect(
      check('sum by (outcome) (rate(api_gateway_queries_total{outcome=~"ok|degraded|refused"}[5m]))'),
    ).toEqual([]);
    expect(
      check('histogram_quantile(0.99, sum by (le, stage) (rate(rag_stage_duration_seconds_bucket[5m])))'),
    ).toEqual([]);
    expect(
      check('nodejs_eventloop_lag_p99_seconds{job="gateway"} > 0.2 or redis_up{job="redis"} == 0'),
    ).toEqual([]);
  });

  it('finds what would draw an empty panel', () => {
    expect(check('sum(rate(api_gateway_queries_total[5m])')).not.toEqual([]);
    expect(check('rate(api_gateway_querys_total[5m])')).toEqual(['nobody shows api_gateway_querys_total']);
    expect(check('rate(rag_stage_duration_seconds[5m])')).toEqual([
      'nobody shows rag_stage_duration_seconds',
    ]);
    expect(check('api_gateway_queries_total{tenant="a"}')).toEqual([
      'api_gateway_queries_total has no label tenant',
    ]);
    expect(check('api_gateway_queries_total{outcome=~"ok|errror"}')).toEqual([
      'outcome of api_gateway_queries_total is never errror',
    ]);
    expect(check('api_gateway_query_latency_seconds_bucket{le="2.5"}')).toEqual([
      'le of api_gateway_query_latency_seconds_bucket is never 2.5',
    ]);
    expect(check('sum by (tenant) (rag_queue_depth)')).toEqual(['nothing here has a label tenant']);
  });
});

describe.each(ruleFiles())('the rules of $file', ({ content }) => {
  const rules = content.groups.flatMap((group) => group.rules);
  it.each(rules.map(({ record, alert, expr }) => ({ name: alert ?? record, expr })))(
    '$name asks for what there is',
    ({ expr }) => {
      expect(check(expr)).toEqual([]);
    },
  );
});
