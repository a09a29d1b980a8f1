import { expect, it } from 'vitest';
import { canonicalJson, keyDigest, normalizedText } from './cache-keys.ts';

it('a digest takes no part for another', () => {
  expect(keyDigest('a', 'b')).toBe(keyDigest('a', 'b'));
  const others = [keyDigest('ab'), keyDigest('', 'ab'), keyDigest('b', 'a'), keyDigest('a', 'b', '')];
  expect(new Set([keyDigest('a', 'b'), ...others]).size).toBe(5);
  expect(keyDigest('é')).toBe(keyDigest(Buffer.from('é')));
});

it('white space and the way accents are written make no other text', () => {
  expect(normalizedText('  Which\n\tcafe\u0301 ? ')).toBe('Which café ?');
  expect(normalizedText('Which')).not.toBe(normalizedText('which'));
});

it('the order of keys makes no other JSON, the order of a list does', () => {
  expect(canonicalJson({ b: 1, a: { d: [2, 1], c: null } })).toBe('{"a":{"c":null,"d":[2,1]},"b":1}');
  expect(canonicalJson({ in: [1, 2] })).not.toBe(canonicalJson({ in: [2, 1] }));
});
