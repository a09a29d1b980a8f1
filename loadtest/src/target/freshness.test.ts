import { expect, test } from 'vitest';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { waitUntilFound } from './freshness.ts';

test('a document that no search finds is given up after a minute, however the searches fail', async () => {
  const clock = createManualClock();
  let searches = 0;
  const found = waitUntilFound({
    ...{ clock, signal: new AbortController().signal, acceptedMs: 0 },
    async isFound() {
      searches += 1;
      if (searches % 2 === 0) throw new Error('the search failed');
      return false;
    },
  });
  expect(await clock.run(found)).toBeNull();
  expect(clock.now()).toBeGreaterThan(60_000);
  expect(clock.now()).toBeLessThan(62_000);
});
