import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type ScriptRow, scriptNames, scriptTable, scriptText } from './scripts.ts';

const folder = new URL('../lua/', import.meta.url);

/** `a, b (remark), then per x: c` as the header says it, remarks dropped. */
function headerLine(text: string, title: string): string | undefined {
  const line = new RegExp(`^-- ${title}: (.*)$`, 'm').exec(text)?.[1];
  return line?.replaceAll(/ \([^)]*\)/g, '');
}

function rendered(names: readonly string[], each: { per: string; names: readonly string[] } | undefined) {
  const parts = [
    ...(names.length > 0 ? [names.join(', ')] : []),
    ...(each ? [`then per ${each.per}: ${each.names.join(', ')}`] : []),
  ];
  return parts.length === 0 ? 'none' : parts.join(', ');
}

test('every Lua file has a row in the table, and every row a file', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.lua'));
  expect(files.sort()).toEqual(scriptNames.map((name) => `${name}.lua`).sort());
});

test.each(scriptNames)('%s: its header says what its row says, in the fixed order', (name) => {
  const text = readFileSync(new URL(`${name}.lua`, folder), 'utf8');
  const row: ScriptRow = scriptTable[name];
  expect(text.split('\n')[0]).toMatch(/^#!lua( flags=(allow-oom|no-writes))?$/);
  expect(text.split('\n')[1]).toMatch(new RegExp(`^-- ${name}: `));
  expect(headerLine(text, 'KEYS')).toBe(rendered(row.keys, row.eachKey));
  expect(headerLine(text, 'ARGV')).toBe(rendered(row.args, row.eachArg));
  const order = ['KEYS', 'ARGV', 'Returns', 'Invariants'].map((title) => text.indexOf(`\n-- ${title}: `));
  expect(order).not.toContain(-1);
  expect(order).toEqual([...order].sort((left, right) => left - right));
});

test('only admitting can be refused by a full Redis: every other script that writes must drain the chain', () => {
  const refusable = scriptNames.filter((name) => scriptText(name).startsWith('#!lua\n'));
  expect(refusable).toEqual(['admit', 'admit-many', 'redrive']);
});

test.each(scriptNames)('%s: uses no key that was not passed to it', (name) => {
  const body = scriptText(name).replaceAll(/--.*$/gm, '');
  expect(body).not.toMatch(/['"](job|llm):/);
});
