import { describe, expect, it } from 'vitest';
import { createPace } from './pace.ts';

const answer = { firstTokenMs: 200, totalMs: 1200, tokens: 101 };

describe('the pace of a model', () => {
  it('is unknown before five answers', () => {
    const pace = createPace();
    for (let answers = 0; answers < 4; answers += 1) pace.note(answer);
    expect(pace.tokensWithin(60_000)).toBeNull();
    pace.note(answer);
    expect(pace.tokensWithin(1200)).toBe(101);
    expect(pace.tokensWithin(700)).toBe(51);
  });

  it('leaves one token where not even the first would come in time', () => {
    const pace = createPace();
    for (let answers = 0; answers < 5; answers += 1) pace.note(answer);
    expect(pace.tokensWithin(100)).toBe(1);
  });

  it('bounds nothing where answers come in one piece', () => {
    const pace = createPace();
    for (let answers = 0; answers < 5; answers += 1) pace.note({ ...answer, totalMs: 200 });
    expect(pace.tokensWithin(300)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('learns nothing from an answer of one token', () => {
    const pace = createPace();
    for (let answers = 0; answers < 9; answers += 1) pace.note({ ...answer, tokens: 1 });
    expect(pace.tokensWithin(60_000)).toBeNull();
  });

  it('follows a model that has become slower', () => {
    const pace = createPace();
    for (let answers = 0; answers < 20; answers += 1) pace.note(answer);
    for (let answers = 0; answers < 11; answers += 1) pace.note({ ...answer, totalMs: 10_200 });
    expect(pace.tokensWithin(1200)).toBe(11);
  });
});
