import { describe, expect, it } from 'vitest';
import { bestChoice } from './choose-threads.ts';

const perCore = { threads: 2, intraOpThreads: 1 };
const together = { threads: 1, intraOpThreads: 2 };

describe('bestChoice', () => {
  it('keeps one core per thread unless another way is clearly better', () => {
    expect(bestChoice([perCore, together], [1500, 1100])).toBe(perCore);
    expect(bestChoice([perCore, together], [1500, 1640])).toBe(perCore);
    expect(bestChoice([perCore, together], [1500, 1700])).toBe(together);
  });

  it('keeps the first when nothing was measured', () => {
    expect(bestChoice([perCore, together], [])).toBe(perCore);
  });
});
