import { describe, expect, it } from 'vitest';
import { HttpProblem } from '../problem.ts';
import { assertModestJson } from './modest-json.ts';

const padding = ' '.repeat(256 * 1024);
const check = (json: string) => () => assertModestJson(Buffer.from(json + padding));
const bracketsInside = `["${'[{,'.repeat(20_000)}"]`;

describe('assertModestJson', () => {
  it.each([
    ['a long string full of brackets', bracketsInside],
    ['escaped quotes before brackets', `["\\"${'[{,'.repeat(20_000)}\\\\"]`],
    ['32 levels', '['.repeat(32) + ']'.repeat(32)],
    ['many short lists one after the other', `[${'[],'.repeat(4000)}[]]`],
  ])('lets pass %s', (_name, json) => {
    expect(JSON.parse(json)).toBeDefined();
    expect(check(json)).not.toThrow();
  });

  it.each([
    ['33 levels', '['.repeat(33)],
    ['objects in objects', '{"a":'.repeat(40)],
    ['too many lists', `[${'[],'.repeat(6000)}[]]`],
    ['too many numbers', `[${'1,'.repeat(11_000)}1]`],
    ['brackets behind an escaped backslash', `["\\\\",${'['.repeat(40)}`],
  ])('refuses %s', (_name, json) => {
    expect(check(json)).toThrow(HttpProblem);
  });

  it('does not look at small bodies: they cannot hurt', () => {
    expect(() => assertModestJson(Buffer.from('['.repeat(1000)))).not.toThrow();
  });
});
