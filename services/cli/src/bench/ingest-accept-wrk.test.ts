import { expect, test } from 'vitest';
import { readWrk } from './ingest-accept-wrk.ts';

test('the line that our script has wrk print becomes figures; anything else is an error', () => {
  const table = 'Running 2s test @ http://127.0.0.1:1/ingest\n  1 threads and 64 connections\n';
  const line = 'VORTEX {"requests":1000,"refused":2,"broken":1,"us":2000000,"p50":2949,"p99":5714}\n';
  expect(readWrk(table + line)).toEqual({
    accepted: 998,
    others: { 'not 202': 2, broken: 1 },
    elapsedMs: 2000,
    p50Ms: 2.949,
    p99Ms: 5.714,
  });
  expect(() => readWrk(table)).toThrow('unexpected');
});
