import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryRoot } from '../folders.ts';
import { scenarios } from './all-scenarios.ts';
import { jobsOf } from './scenario.ts';

test('every scenario has a row in docs/06-faults.md, and every row a scenario', () => {
  const page = readFileSync(join(repositoryRoot, 'docs/06-faults.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z-]+)` +\|/gm)].map((match) => match[1]);
  expect(rows.sort()).toEqual(scenarios.map(({ name }) => name).sort());
});

test('names are unique, and all shares together are no fewer jobs than were asked for', () => {
  expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  const total = scenarios.reduce((sum, scenario) => sum + jobsOf(scenario, scenarios, 10_000), 0);
  expect(total).toBeGreaterThanOrEqual(10_000);
  expect(total).toBeLessThan(10_000 + scenarios.length);
});
