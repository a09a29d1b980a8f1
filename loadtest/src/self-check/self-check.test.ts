import { describe, expect, test } from 'vitest';
import { checkArrivals, tellsPause } from './checks.ts';
import { readWrk } from './wrk.ts';

describe('the self-check', () => {
  test('its arrivals hold', () => {
    expect(checkArrivals()).toMatchObject({ holds: true });
  });

  // With a real server and real time it is `loadtest self-check`: on a machine that is busy with other tests the closed
  // loop asks so seldom that the freeze is its P99 too. That the loops differ is shown by ../drive/loops.test.ts, by a
  // clock that nothing disturbs.
  test.each([
    [{ open: 980, closed: 25, frozenMs: 1000 }, true],
    [{ open: 25, closed: 25, frozenMs: 1000 }, false],
    [{ open: 980, closed: 980, frozenMs: 1000 }, false],
    [{ open: 5000, closed: 25, frozenMs: 1000 }, false],
  ])('of a freeze: P99s of %o are right: %s', (figures, holds) => {
    expect(tellsPause(figures)).toBe(holds);
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
