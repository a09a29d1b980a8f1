import { describe, expect, it } from 'vitest';
import { uploadWindow } from './upload-window.ts';

/** Everybody wants more than he gets: windows settle, one tenant after the other, as jobs end and are released. */
function settled(slots: number, released: number[]): number[] {
  const now = [...released];
  for (let round = 0; round < 20; round += 1) {
    for (const tenant of now.keys()) {
      now[tenant] = uploadWindow(
        slots,
        now.filter((_, other) => other !== tenant),
      );
    }
  }
  return now;
}

describe('the window of a tenant', () => {
  it('is half as many again as there are slots for who is alone', () => {
    expect([1, 4, 32, 64].map((slots) => uploadWindow(slots, []))).toEqual([2, 6, 48, 96]);
  });

  it('leaves a place free for who has nothing to do just now', () => {
    expect(uploadWindow(32, [0])).toBe(28);
    expect(uploadWindow(32, [1])).toBe(27);
    expect(uploadWindow(4, [0])).toBe(3);
  });

  it('comes to an equal part among those who want all', () => {
    expect(settled(32, [48, 0])).toEqual([16, 16]);
    expect(settled(32, [48, 0, 0])).toEqual([10, 10, 10]);
    expect(settled(4, [6, 0, 0])).toEqual([1, 1, 1]);
  });

  it('is one at least, so that among many each has its turn', () => {
    expect(uploadWindow(2, [1, 1, 1, 1])).toBe(1);
  });

  it('never holds more than the slots back for others who do not use them', () => {
    for (const theirs of [0, 1, 5, 12]) {
      expect(uploadWindow(32, [theirs]) + theirs).toBeGreaterThanOrEqual(28);
    }
  });
});
