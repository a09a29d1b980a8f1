import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { completionOf } from './answer.ts';
import { jobId } from './envelope.ts';
import { newId } from './ids.ts';
import { storeResult } from './ingest/2-embed.ts';
import {
  batchListOf,
  batchLists,
  generatorList,
  type Outcome,
  stageNames,
  stageOfList,
  stages,
} from './pipeline.ts';
import { decodeVector, encodeVector } from './vector-codec.ts';

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'wire-fixtures', name), 'utf8'));

describe('the map', () => {
  it('forwards only to stages that exist, and no two stages share a list', () => {
    for (const name of stageNames) {
      for (const next of stages[name].next) expect(stageNames).toContain(next);
    }
    const lists = [...stageNames.map((name) => stages[name].list), ...Object.values(batchLists)];
    expect(new Set(lists).size).toBe(lists.length);
    for (const name of stageNames) {
      expect(stageOfList(stages[name].list)).toBe(name);
      const batchList = batchListOf(name);
      if (batchList !== null) expect(stageOfList(batchList)).toBe(name);
    }
  });

  it('does not compile a forward to the wrong stage or with a missing field', () => {
    const forward: Outcome<'encode'> = {
      kind: 'forward',
      to: 'retrieve',
      payload: { query: 'q', embedding: 'AAAA' },
    };
    expect(forward.kind).toBe('forward');
    const found = { query: 'q', embedding: 'AAAA' };
    // @ts-expect-error encode does not lead to generate
    const wrongStage: Outcome<'encode'> = { kind: 'forward', to: 'generate', payload: found };
    const vector = { embedding: 'AAAA' };
    // @ts-expect-error the question is missing
    const missingField: Outcome<'encode'> = { kind: 'forward', to: 'retrieve', payload: vector };
    // @ts-expect-error the encoder never ends a job
    const wrongEnd: Outcome<'encode'> = { kind: 'done', result: { stored: 1, truncated: 0 } };
    expect([wrongStage, missingField, wrongEnd]).toHaveLength(3);
    expectTypeOf<Extract<Outcome<'generate'>, { kind: 'forward' }>>().toBeNever();
  });

  it('names a replica’s list after its worker', () => {
    expect(generatorList(undefined)).toBe('job:llm_in');
    expect(generatorList('llm_generator_2')).toBe('job:llm_in:llm_generator_2');
  });
});

describe('envelopes of past versions', () => {
  it('still parse', () => {
    expect(stages.encode.input.parse(fixture('encode-v1.json'))).toMatchObject({
      tenant: 'default',
      stream: true,
    });
    expect(stages.encode.input.parse(fixture('encode-hand-pushed.json'))).toMatchObject({
      v: 1,
      attempt: 1,
      want: 'answer',
    });
    const raw = { id: 'job_1', ...(fixture('ingest-raw-body.json') as object) };
    expect(stages.ingest.input.parse(raw)).toMatchObject({ document_id: 'handbook', tenant: 'default' });
  });

  it('of an unknown version do not', () => {
    expect(stages.encode.input.safeParse({ id: 'a', v: 2, query: 'q' }).success).toBe(false);
  });
});

describe('ids', () => {
  it('carry their kind, never repeat, and fit where keys are built', () => {
    const ids = Array.from({ length: 2000 }, () => newId('qry'));
    expect(new Set(ids).size).toBe(2000);
    for (const id of ids) expect(id).toMatch(/^qry_[0-9A-Za-z]{22}$/);
    expect(jobId.safeParse('a b').success).toBe(false);
    expect(jobId.safeParse('a\nb').success).toBe(false);
  });
});

describe('vectors', () => {
  it('come back bit for bit, in little-endian order', () => {
    const vector = Float32Array.from([0.25, -1, 3.5e-9, 1]);
    expect(decodeVector(encodeVector(vector))).toEqual(vector);
    expect(encodeVector(Float32Array.from([1]))).toBe('AACAPw==');
  });

  it('that are none are refused', () => {
    expect(() => decodeVector('AAA=')).toThrow(RangeError);
    expect(() => decodeVector('')).toThrow(RangeError);
  });
});

describe('completions', () => {
  it('are flat, and fail with a code', () => {
    const store = completionOf(storeResult);
    expect(
      store.parse({ id: 'a', status: 'completed', attempt: 1, timings_ms: {}, stored: 3 }),
    ).toMatchObject({ stored: 3 });
    const error = { code: 'poison', message: 'm', stage: 'encode', retryable: false };
    expect(store.parse({ id: 'a', status: 'failed', attempt: 3, timings_ms: {}, error })).toMatchObject({
      error,
    });
    expect(store.safeParse({ id: 'a', status: 'failed', attempt: 3, timings_ms: {} }).success).toBe(false);
  });
});
