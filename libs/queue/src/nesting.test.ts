import { expect, test } from 'vitest';
import { changeHeader, readElementHeader } from './element.ts';
import { maxElementNesting, nestsTooDeep } from './nesting.ts';

const nested = (levels: number) => `{"id":"a","more":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;

test('as deep as may be is no deeper', () => {
  expect(nestsTooDeep(nested(maxElementNesting))).toBe(false);
  expect(nestsTooDeep(nested(maxElementNesting + 1))).toBe(true);
});

test.each([
  ['brackets in a text', JSON.stringify({ id: 'a', query: '['.repeat(1000) })],
  ['brackets behind a quote in a text', JSON.stringify({ id: 'a', query: `\\"${'{'.repeat(1000)}\\\\` })],
  ['many beside each other', `{"id":"a","more":[${'[],'.repeat(1000)}{}]}`],
])('%s are no nesting', (_what, element) => {
  expect(nestsTooDeep(element)).toBe(false);
  expect(readElementHeader(element)?.id).toBe('a');
});

test('one that JSON.parse reads and JSON.stringify does not has no header, and stays as it is', () => {
  const element = nested(6000);
  expect(readElementHeader(element)).toBeNull();
  expect(changeHeader(element, { redelivered: 1 })).toBe(element);
});
