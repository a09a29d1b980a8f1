import { expect, test } from 'vitest';
import { readEnvelope } from './read-envelope.ts';

test('id and query are enough; the rest has defaults', () => {
  expect(readEnvelope('encode', '{"id":"a","query":"why"}')).toEqual({
    kind: 'readable',
    input: {
      id: 'a',
      v: 1,
      tenant: 'default',
      attempt: 1,
      redelivered: 0,
      track: false,
      timings_ms: {},
      query: 'why',
      want: 'answer',
      stream: false,
    },
  });
});

test.each([
  ['not JSON', 'nonsense', 'invalid_envelope', null],
  ['no object', '"text"', 'invalid_envelope', null],
  ['null', 'null', 'invalid_envelope', null],
  ['no id', '{"query":"x"}', 'invalid_envelope', null],
  ['an id that is no text', '{"id":7,"query":"x"}', 'invalid_envelope', null],
  ['a field of the wrong type', '{"id":"a","query":7}', 'invalid_envelope', 'a'],
  ['a version of the future', '{"id":"a","v":2,"query":"x"}', 'unsupported_version', 'a'],
  ['a version that is a text', '{"id":"a","v":"1","query":"x"}', 'unsupported_version', 'a'],
  ['too large', JSON.stringify({ id: 'a', query: 'x'.repeat(1024 * 1024) }), 'envelope_too_large', 'a'],
  [
    'too large in bytes, not in characters',
    JSON.stringify({ id: 'a', query: '€'.repeat(400_000) }),
    'envelope_too_large',
    'a',
  ],
])('%s is unreadable, with its id where there is one', (_what, element, code, id) => {
  const read = readEnvelope('encode', element);
  expect(read).toMatchObject({ kind: 'unreadable', code });
  expect(read.kind === 'unreadable' && (read.header?.id ?? null)).toBe(id);
});

test('documents may be larger than questions', () => {
  const element = JSON.stringify({ id: 'd', document_id: 'x', content: 'y'.repeat(2 * 1024 * 1024) });
  expect(readEnvelope('ingest', element)).toMatchObject({ kind: 'readable' });
});

test('only a raw document gets an id from its bytes; one that brings an id keeps it', () => {
  const raw = '{"document_id":"x","content":"y"}';
  const [first, second] = [readEnvelope('ingest', raw), readEnvelope('ingest', raw)];
  expect(first).toEqual(second);
  expect(first).toMatchObject({ input: { id: expect.stringMatching(/^job_[0-9a-f]{32}$/) } });
  expect(readEnvelope('ingest', '{"id":"mine","document_id":"x","content":"y"}')).toMatchObject({
    input: { id: 'mine' },
  });
});
