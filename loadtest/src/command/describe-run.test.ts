import { expect, test } from 'vitest';
import { exampleRun } from '../fixtures/example-run.ts';
import { describeRun } from './describe-run.ts';

test('where the time went fits a terminal of eighty columns, in words', () => {
  const { summary } = exampleRun();
  const rows = summary.stages?.rows.map((row) => ({
    ...row,
    stage: row.stage.replace('admit', 'cache_lookup'),
  }));
  const text = describeRun({ ...summary, stages: summary.stages && { ...summary.stages, rows: rows ?? [] } });
  const table = text.slice(text.indexOf('Where the client'), text.indexOf('Replicas')).split('\n');
  expect(table.length).toBeGreaterThan(8);
  for (const line of table) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(text).toContain('  cache lookup');
  expect(text).toContain('  waits for generate');
});
