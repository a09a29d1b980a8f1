import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryRoot } from './folders.ts';

/** `docs/13-threat-model.md` promises that each of its risks names the test that tries it. */
const page = readFileSync(join(repositoryRoot, 'docs/13-threat-model.md'), 'utf8');
const table = page.slice(page.indexOf('## Risks'), page.indexOf('## What it does not hold'));
const rows = table
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.length === 5 && cells[1] !== 'risk' && !/^-+$/.test(cells[1] ?? ''))
  .map(([, risk = '', control = '', shownBy = '']) => ({ risk, control, shownBy }));
const proofs = [...new Set(rows.flatMap(({ shownBy }) => shownBy.split('; ')))];

test('every risk has a control, and a test that tries it', () => {
  expect(rows.length).toBeGreaterThan(25);
  for (const { risk, control, shownBy } of rows) {
    expect(control, risk).not.toBe('');
    expect(shownBy, risk).toMatch(/^\S+\.test\.ts: ./);
  }
  for (const risk of ['API1', 'API2', 'API3', 'API4', 'API5', 'API6', 'API7', 'API8', 'API9', 'API10'])
    expect(
      rows.some((row) => row.risk.split(/[ ,]+/).includes(risk)),
      risk,
    ).toBe(true);
  for (let number = 1; number <= 10; number += 1) {
    const risk = `LLM${String(number).padStart(2, '0')}`;
    expect(
      rows.some((row) => row.risk.split(/[ ,]+/).includes(risk)),
      risk,
    ).toBe(true);
  }
});

test.each(proofs)('there is the test %s', (proof) => {
  const [, file = '', title = ''] = /^(\S+): (.+)$/.exec(proof) ?? [];
  expect(existsSync(join(repositoryRoot, file)), `${proof}: no such file`).toBe(true);
  const text = readFileSync(join(repositoryRoot, file), 'utf8');
  // `it('…'`, and the title behind the cases of `it.each(…)('…'`.
  const titles = [...text.matchAll(/(?:\b(?:test|it)|[\])])\(\s*(['"`])(.+?)\1/g)].map(
    ([, , found = '']) => found,
  );
  expect(titles.filter((found) => found.startsWith(title))).toHaveLength(1);
});
