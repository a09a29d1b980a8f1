import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryRoot } from './folders.ts';

/** `docs/07-acknowledgements.md` promises that each of its lines names what shows it. */
interface Line {
  section: string;
  fault: string;
  shownBy: string;
}

const page = readFileSync(join(repositoryRoot, 'docs/07-acknowledgements.md'), 'utf8');
const scenarioFolder = join(repositoryRoot, 'services/cli/src/chaos');
const faults = ['process killed', 'Redis restarted', 'power cut', 'Redis wiped', 'failover'];

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  let section = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('## ')) section = line.slice(3);
    const cells = line.split('|').map((cell) => cell.trim());
    const [, fault = '', , shownBy = ''] = cells;
    if (cells.length < 5 || fault === 'fault' || /^-+$/.test(fault)) continue;
    lines.push({ section, fault, shownBy });
  }
  return lines;
}

const lines = linesOf(page);
const proofs = lines.flatMap(({ shownBy }) => shownBy.split(/; |(?<=`), /));
const tests = [...new Set(proofs.filter((proof) => !proof.startsWith('`chaos ')))];
const scenarios = [...new Set(proofs.flatMap((proof) => /^`chaos ([a-z-]+)`$/.exec(proof)?.[1] ?? []))];

test('each acknowledgement has a line for each fault, and each line names a proof', () => {
  const sections = [...new Set(lines.map(({ section }) => section))];
  expect(sections.length).toBeGreaterThan(10);
  for (const section of sections) {
    const told = lines.filter((line) => line.section === section).map(({ fault }) => fault);
    expect(told, section).toEqual(expect.arrayContaining(faults));
  }
  expect(lines.filter(({ shownBy }) => shownBy === '')).toEqual([]);
  expect(scenarios.length + tests.length).toBe(new Set(proofs).size);
});

test.each(tests)('there is the test %s', (proof) => {
  const [, file = '', title = ''] = /^(\S+): (.+)$/.exec(proof) ?? [];
  expect(existsSync(join(repositoryRoot, file)), `${proof}: no such file`).toBe(true);
  const titles = [
    ...readFileSync(join(repositoryRoot, file), 'utf8').matchAll(/\b(?:test|it)\(\s*(['"`])(.+?)\1/g),
  ];
  expect(titles.map(([, , found = '']) => found).filter((found) => found.startsWith(title))).toHaveLength(1);
});

test.skipIf(!existsSync(scenarioFolder)).each(scenarios)('there is the scenario %s', (scenario) => {
  const files = readdirSync(scenarioFolder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const texts = files.map((file) => readFileSync(join(scenarioFolder, file), 'utf8'));
  expect(texts.some((text) => text.includes(`name: '${scenario}'`))).toBe(true);
});
