import { describe, expect, it } from 'vitest';
import { shareAnswers } from './share-answers.ts';

describe('shareAnswers', () => {
  it('gives nobody an answer that was asked for before they asked, and all who wait the same next one', async () => {
    const asked: PromiseWithResolvers<number>[] = [];
    const ask = shareAnswers(() => {
      const one = Promise.withResolvers<number>();
      asked.push(one);
      return one.promise;
    });
    const first = ask();
    const waiting = [ask(), ask(), ask()];
    expect(asked).toHaveLength(1);
    asked[0]?.resolve(1);
    expect(await first).toBe(1);
    asked[1]?.resolve(2);
    expect(await Promise.all(waiting)).toEqual([2, 2, 2]);
    expect(asked).toHaveLength(2);
  });

  it('a question that failed fails those who asked it, and no other', async () => {
    let tries = 0;
    const ask = shareAnswers(async () => {
      tries += 1;
      if (tries === 1) throw new Error('cut off');
      return tries;
    });
    const first = ask();
    const second = ask();
    await expect(first).rejects.toThrow('cut off');
    expect(await second).toBe(2);
    expect(await ask()).toBe(3);
  });
});
