import { describe, expect, it } from 'vitest';
import { createTurns } from './turns.ts';

const never = new AbortController().signal;

/** Lets each who waits note its name and hold the place until told; returns the order. */
async function orderOf(turns: ReturnType<typeof createTurns>, asked: [string, string][], rounds: number) {
  const order: string[] = [];
  // All are waiting before the first is chosen.
  const holding = [(await turns.take('before', 'x', never)).giveBack];
  for (const [tenant, document] of asked) {
    void turns.take(tenant, document, never).then(({ giveBack }) => {
      order.push(`${tenant}/${document}`);
      holding.push(giveBack);
    });
  }
  for (let round = 0; round <= rounds; round += 1) {
    await new Promise(setImmediate);
    holding.shift()?.();
  }
  return order;
}

describe('turns', () => {
  it('tenants take turns, and within a tenant its documents do, however many groups wait', async () => {
    const asked: [string, string][] = [
      ...Array.from({ length: 4 }, (): [string, string] => ['big', 'a']),
      ...Array.from({ length: 2 }, (): [string, string] => ['big', 'b']),
      ...Array.from({ length: 2 }, (): [string, string] => ['small', 'c']),
    ];
    const order = await orderOf(createTurns(1), asked, asked.length);
    expect(order).toEqual(['big/a', 'small/c', 'big/b', 'small/c', 'big/a', 'big/b', 'big/a', 'big/a']);
  });

  it('no more than the places are under way, and a place given back twice is one', async () => {
    const turns = createTurns(2);
    const held = [await turns.take('t', 'a', never), await turns.take('t', 'a', never)];
    const third: string[] = [];
    for (const name of ['third', 'fourth']) void turns.take('t', 'b', never).then(() => third.push(name));
    await new Promise(setImmediate);
    expect(third).toEqual([]);
    held[0]?.giveBack();
    held[0]?.giveBack();
    await new Promise(setImmediate);
    expect(third).toEqual(['third']);
  });

  it('who no longer wants its turn is passed over, and its place is not lost', async () => {
    const turns = createTurns(1);
    const held = await turns.take('t', 'a', never);
    const leaving = new AbortController();
    const left = turns.take('t', 'a', leaving.signal);
    const stays = turns.take('u', 'b', never);
    leaving.abort();
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
    held.giveBack();
    (await stays).giveBack();
    (await turns.take('t', 'a', never)).giveBack();
    await expect(turns.take('t', 'a', leaving.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('who has no group under way while others have goes first with one, and only with one', async () => {
    const turns = createTurns(10);
    const ask = (tenant: string) => turns.take(tenant, 'a', never);
    expect((await ask('loud')).first).toBe(false);
    expect((await ask('loud')).first).toBe(false);
    const quiet = await ask('quiet');
    expect(quiet.first).toBe(true);
    expect((await ask('quiet')).first).toBe(false);
    expect((await ask('third')).first).toBe(true);
    quiet.giveBack();
    expect((await ask('quiet')).first).toBe(false);
  });
});
