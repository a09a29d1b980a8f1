import { expect, test } from 'vitest';
import { describeFields, harmlessJson } from './use-gateway.ts';

const hostile = 'a\u001b]0;x\u0007\u009b2J\u202eb\u2066\u007f\n漢😀';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

test('a title that would steer the terminal does not, as JSON and in fields; as JSON it stays the same', () => {
  const record = { title: hostile, metadata: { [hostile]: [hostile] } };
  expect(harmlessJson(record)).not.toMatch(steering);
  expect(JSON.parse(harmlessJson(record))).toEqual(record);
  expect(describeFields(record)).not.toMatch(steering);
  expect(describeFields(record)).toContain('漢😀');
});
