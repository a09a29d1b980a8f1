import { StageFailure } from '@vortex/contracts';
import { expect, test } from 'vitest';
import type { StageContext, StageHandler } from '../src/index.ts';

/**
 * Chapter 1: a stage is a function that decides. It gets its input, already parsed by its schema, and
 * answers with one of four outcomes; it never touches a list. So a literal is enough to test one.
 */
const context = {} as StageContext;
const question = {
  id: 'q1',
  v: 1 as const,
  tenant: 'default',
  attempt: 1,
  redelivered: 0,
  track: false,
  timings_ms: {},
  query: 'why',
  want: 'answer' as const,
  stream: false,
};

test('forward: to a stage that pipeline.ts allows, with the payload that stage needs', async () => {
  const encode: StageHandler<'encode'> = async ({ query }) => ({
    kind: 'forward',
    to: 'retrieve',
    payload: { query, embedding: 'AACAPw==' },
  });
  expect(await encode(question, context)).toMatchObject({ to: 'retrieve' });
});

test('what does not fit does not compile (the checker fails when one of these would)', () => {
  // @ts-expect-error encode forwards to retrieve only
  const wrongStage: StageHandler<'encode'> = async ({ query }) => ({
    kind: 'forward',
    to: 'generate',
    payload: { query, embedding: 'AACAPw==' },
  });
  // @ts-expect-error the question is missing
  const missingField: StageHandler<'encode'> = async () => ({
    kind: 'forward',
    to: 'retrieve',
    payload: { embedding: 'AACAPw==' },
  });
  // @ts-expect-error encode has no result of its own: it may forward, reject or wait
  const wrongEnd: StageHandler<'encode'> = async () => ({
    kind: 'done',
    result: { stored: 1, truncated: 0 },
  });
  // @ts-expect-error a code outside the closed list
  const wrongCode: StageHandler<'encode'> = async () => ({ kind: 'reject', code: 'oops', reason: '' });
  expect([wrongStage, missingField, wrongEnd, wrongCode]).toHaveLength(4);
});

test('reject: permanent, with a code of the closed list; throwing a StageFailure that may not be retried says the same', async () => {
  const reject: StageHandler<'encode'> = async () => ({
    kind: 'reject',
    code: 'collection_not_found',
    reason: 'no x',
  });
  expect(await reject(question, context)).toMatchObject({ kind: 'reject' });
  expect(new StageFailure('collection_not_found', 'no x').mayRetry).toBe(false);
  expect(new StageFailure('generator_failed', 'connection refused').mayRetry).toBe(true);
});

test('later: not now. It uses up no attempt and is bounded by the deadline', async () => {
  const later: StageHandler<'encode'> = async () => ({ kind: 'later', afterMs: 500, reason: 'rate limited' });
  expect(await later(question, context)).toMatchObject({ afterMs: 500 });
});
