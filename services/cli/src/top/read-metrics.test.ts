import { expect, test } from 'vitest';
import { growth, quantile, readMetrics } from './read-metrics.ts';

const page = `# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{queue="a",event="completed"} 12
jobs_total{queue="b \\"quoted\\", with {braces} 5",event="dead"} 3 1700000000000
other_total 5
up 1
wait_bucket{le="0.1",queue="a"} 4 # {trace_id="abc"} 0.05 1700000000
# EOF
`;

test('reads names, labels and values, and only what is wanted', () => {
  const samples = [...readMetrics(page, (name) => name !== 'other_total').values()];
  expect(samples).toEqual([
    { name: 'jobs_total', labels: { queue: 'a', event: 'completed' }, value: 12 },
    { name: 'jobs_total', labels: { queue: 'b "quoted", with {braces} 5', event: 'dead' }, value: 3 },
    { name: 'up', labels: {}, value: 1 },
    { name: 'wait_bucket', labels: { le: '0.1', queue: 'a' }, value: 4 },
  ]);
});

test('a counter that is smaller was started anew; one that was not there began at zero', () => {
  const all = () => true;
  const before = readMetrics('a 10\nb 10', all);
  const after = readMetrics('a 14\nb 3\nc 2', all);
  expect(growth(before, after).map(({ value }) => value)).toEqual([4, 3, 2]);
});

test('a quantile lies inside its bucket', () => {
  const buckets = readMetrics(
    't_bucket{le="0.1"} 0\nt_bucket{le="0.2"} 50\nt_bucket{le="0.4"} 90\nt_bucket{le="+Inf"} 100',
    () => true,
  );
  const samples = [...buckets.values()];
  expect(quantile(samples, 0.25)).toBeCloseTo(0.15);
  expect(quantile(samples, 0.5)).toBeCloseTo(0.2);
  expect(quantile(samples, 0.7)).toBeCloseTo(0.3);
  // Beyond the last edge nothing is known but that.
  expect(quantile(samples, 0.99)).toBe(0.4);
  expect(quantile([], 0.5)).toBeNull();
});
