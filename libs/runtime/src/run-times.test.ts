import { describe, expect, it } from 'vitest';
import { createRunTimes } from './run-times.ts';

describe('how long runs take', () => {
  it('is unknown before ten of them', () => {
    const times = createRunTimes();
    for (let run = 0; run < 9; run += 1) times.note(100, 0);
    expect(times.medianMs(0)).toBeNull();
    times.note(100, 0);
    expect(times.medianMs(0)).toBe(100);
  });

  it('is the median, which a few long runs do not move', () => {
    const times = createRunTimes();
    for (const ms of [5, 1, 4, 2, 3, 9000, 8000, 3, 3, 3]) times.note(ms, 0);
    expect(times.medianMs(0)).toBe(3);
  });

  it('is of the last fifty', () => {
    const times = createRunTimes();
    for (let run = 0; run < 50; run += 1) times.note(1000, 0);
    expect(times.medianMs(0)).toBe(1000);
    for (let run = 0; run < 26; run += 1) times.note(10, 0);
    expect(times.medianMs(0)).toBe(10);
  });

  it('is unknown again when no run has ended for long, so that dropping everything ends', () => {
    const times = createRunTimes();
    for (let run = 0; run < 20; run += 1) times.note(1000, 5000);
    expect(times.medianMs(35_000)).toBe(1000);
    expect(times.medianMs(35_001)).toBeNull();
    times.note(10, 40_000);
    expect(times.medianMs(40_000)).toBe(1000);
  });

  it('stays known longer where runs take longer', () => {
    const times = createRunTimes();
    for (let run = 0; run < 20; run += 1) times.note(40_000, 0);
    expect(times.medianMs(120_000)).toBe(40_000);
    expect(times.medianMs(120_001)).toBeNull();
  });
});
