import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryRoot } from '../folders.ts';
import { scenarios } from './all-scenarios.ts';
import { hungJob } from './processes.ts';
import { jobsOf } from './scenario.ts';
import { poisonous } from './traffic.ts';

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

test.each([1, 2_000, 10_000])('of %i jobs in all, what a scenario needs is among its share', (all) => {
  const share = (name: string) => {
    const scenario = scenarios.find((one) => one.name === name);
    return scenario === undefined ? 0 : jobsOf(scenario, scenarios, all);
  };
  const poison = poisonous(share('poison-job'));
  expect(new Set(poison).size).toBe(3);
  expect(Math.max(...poison)).toBeLessThan(share('poison-job'));
  expect(hungJob(share('blocked-event-loop'))).toBeGreaterThan(0);
  expect(hungJob(share('blocked-event-loop'))).toBeLessThan(share('blocked-event-loop'));
  for (const scenario of scenarios.filter(({ ground, share: parts }) => ground === 'chain' && parts > 0)) {
    expect(share(scenario.name), scenario.name).toBeGreaterThanOrEqual(60);
  }
});
