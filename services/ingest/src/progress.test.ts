import { describe, expect, it } from 'vitest';
import { createProgress } from './progress.ts';

describe('the progress of a document', () => {
  let clock = 0;
  const begin = () => {
    clock = 0;
    return createProgress(() => clock);
  };

  it('goes from parsing to publishing and never back, whatever is reported', () => {
    const progress = begin();
    const said = [
      progress.reading({ stage: 'parse', done: 0, total: 300, unit: 'pages' }),
      progress.reading({ stage: 'parse', done: 120, total: 300, unit: 'pages' }),
      progress.reading({ stage: 'parse', done: 100, total: 300, unit: 'pages' }),
      progress.reading({ stage: 'parse', done: 300, total: 300, unit: 'pages' }),
      progress.reading({ stage: 'chunk', done: 50, total: 100, unit: 'characters' }),
      progress.read(0, 980),
      progress.stored(412),
      progress.stored(568),
      progress.publishing(),
    ];
    expect(said.map((one) => one.progress)).toEqual([0, 4, 4, 10, 12.5, 15, 50.3, 99, 99]);
    expect(said.map((one) => one.message)).toEqual([
      'Parsing page 0 of 300',
      'Parsing page 120 of 300',
      'Parsing page 100 of 300',
      'Parsing page 300 of 300',
      'Cutting into chunks, 50 %',
      'Embedding 0 of 980 chunks',
      'Embedding 412 of 980 chunks',
      'Embedding 980 of 980 chunks',
      'Publishing',
    ]);
    expect(said.map((one) => one.committed === true)).toEqual([
      ...Array(5).fill(false),
      true,
      true,
      true,
      false,
    ]);
  });

  it('an unknown total is no progress, and is said without a number that would lie', () => {
    const progress = begin();
    expect(progress.reading({ stage: 'parse', done: 7, total: null, unit: 'pages' })).toMatchObject({
      progress: 0,
      message: 'Parsing page 7',
    });
    expect(progress.reading({ stage: 'parse', done: 7, total: null, unit: 'bytes' }).message).toBe(
      'Reading the file',
    );
    expect(progress.reading({ stage: 'parse', done: 7, total: 14, unit: 'bytes' }).message).toBe(
      'Parsing, 50 %',
    );
    expect(progress.reading({ stage: 'parse', done: 2, total: 9, unit: 'entries' }).message).toBe(
      'Parsing part 2 of 9',
    );
  });

  it('what an earlier run has stored counts from the start, but not into the rate', () => {
    const progress = begin();
    expect(progress.read(50, 100)).toMatchObject({ progress: 57, etaMs: null });
    clock = 1000;
    // Ten chunks a second: the other 40 take four.
    expect(progress.stored(10)).toMatchObject({ message: 'Embedding 60 of 100 chunks', etaMs: 4000 });
  });

  it('the time left follows the rate, smoothed: a burst does not halve it, a slower encoder shows', () => {
    const progress = begin();
    progress.read(0, 1000);
    for (let second = 1; second <= 20; second += 1) {
      clock = second * 1000;
      progress.stored(8);
      progress.stored(2);
    }
    const steady = progress.stored(0).etaMs ?? 0;
    expect(steady).toBeCloseTo(80_000, -2);
    const burst = progress.stored(10).etaMs ?? 0;
    expect(burst).toBeGreaterThan(steady * 0.8);
    for (let second = 22; second <= 60; second += 2) {
      clock = second * 1000;
      progress.stored(2);
    }
    const left = 1000 - 250;
    expect(progress.stored(0).etaMs ?? 0).toBeGreaterThan((left / 1.5) * 1000);
  });

  it('a document of one chunk, and one of none, end at 99 like any other', () => {
    const one = begin();
    expect(one.read(0, 1).message).toBe('Embedding 0 of 1 chunk');
    expect(one.stored(1).progress).toBe(99);
    expect(begin().read(0, 0).progress).toBe(99);
  });
});
