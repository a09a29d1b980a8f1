import { describe, expect, test } from 'vitest';
import { checkArrivals, checkPause } from './checks.ts';
import { readWrk } from './wrk.ts';

describe('the self-check', () => {
  test('its arrivals hold', () => {
    expect(checkArrivals()).toMatchObject({ holds: true });
  });

  // The one test with a real server and real time: the bounds are as wide as a busy machine needs. With exact bounds and
  // no time at all the same is shown in ../drive/loops.test.ts; with wrk by `loadtest self-check`.
  test('a frozen server is seen by an open loop and hidden by a closed one', {
    timeout: 60_000,
  }, async () => {
    expect(await checkPause(5)).toMatchObject({ holds: true });
  });

  test('reads what wrk prints', () => {
    const text = `Running 8s test @ http://127.0.0.1:1/query
  1 threads and 20 connections
  Latency Distribution
     50%   20.91ms
     75%  950.00us
     90%    1.20s
     99%    1.25s
  7610 requests in 8.00s, 1.31MB read
Requests/sec:    951.03
Transfer/sec:    167.98KB
`;
    expect(readWrk(text)).toEqual({ p50Ms: 20.91, p99Ms: 1250, perSecond: 951.03 });
    expect(() => readWrk('unable to connect')).toThrow('50th percentile');
  });
});
