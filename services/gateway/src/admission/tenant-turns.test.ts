import { beforeEach, describe, expect, it } from 'vitest';
import { createTenantTurns } from './tenant-turns.ts';

const slots = 12;
const minute = 60_000;
const open = new AbortController().signal;

let now = 0;
let width = slots;
beforeEach(() => {
  now = 0;
  width = slots;
});

function turnsOf() {
  const turns = createTenantTurns({ width: () => width, now: () => now });
  const order: string[] = [];
  /** How many went in at once. */
  const enter = (tenant: string, count = 1, signal = open) => {
    let entered = 0;
    for (let number = 0; number < count; number += 1) {
      const wait = turns.enter(tenant, signal);
      if (wait === null) entered += 1;
      else
        wait.then(
          () => order.push(tenant),
          () => order.push(`${tenant} left`),
        );
    }
    return entered;
  };
  const leave = async (...names: string[]) => {
    for (const name of names) turns.leave(name);
    await Promise.resolve();
  };
  return { turns, enter, leave, order };
}

describe('turns of tenants', () => {
  it('hold nobody up as long as nobody else is there, but by what keeps the chain busy', async () => {
    const { enter, leave, order } = turnsOf();
    expect(enter('flood', 1000)).toBe(2 * slots + 16);
    await leave('flood', 'flood');
    expect(order).toEqual(['flood', 'flood']);
  });

  it('hold nobody up while slots are unknown', () => {
    width = 0;
    expect(turnsOf().enter('flood', 1000)).toBe(1000);
  });

  it('leave a quiet tenant its place, however many another sends', async () => {
    const { enter, leave } = turnsOf();
    expect(enter('quiet')).toBe(1);
    await leave('quiet');
    // One at a time is what the quiet one had; it may have two.
    expect(enter('flood', 10_000)).toBe(slots - 2);
    for (let number = 0; number < 50; number += 1) {
      expect(enter('quiet')).toBe(1);
      await leave('quiet');
    }
  });

  it('part the slots equally between two who flood', async () => {
    const { enter, leave, order } = turnsOf();
    enter('a');
    enter('b');
    expect(enter('a', 1000)).toBeGreaterThanOrEqual(slots / 2 - 1);
    enter('b', 1000);
    await leave(...Array.from({ length: 10 }, () => 'a'));
    order.length = 0;
    for (let number = 0; number < 100; number += 1) await leave('a', 'b');
    expect(order.filter((name) => name === 'a').length).toBeGreaterThan(90);
    expect(order.filter((name) => name === 'b').length).toBeGreaterThan(90);
  });

  it('give a newcomer a place although a lone tenant has filled the chain', async () => {
    const { enter, leave, order } = turnsOf();
    enter('flood', 1000);
    expect(enter('newcomer')).toBe(1);
    // What the flood has in beyond its part now comes out before more goes in.
    await leave(...Array.from({ length: slots }, () => 'flood'));
    expect(order).toEqual([]);
  });

  it('forget who has been silent for a minute', async () => {
    const { enter, leave, order } = turnsOf();
    enter('quiet');
    await leave('quiet');
    const part = enter('flood', 1000);
    now += minute + 1;
    await leave('flood');
    expect(order.length).toBe(2 * slots + 16 - part + 1);
  });

  it('never give less than one', () => {
    const { enter } = turnsOf();
    for (let number = 0; number < 100; number += 1) expect(enter(`tenant-${number}`)).toBe(1);
  });

  it('pass over who has left the line', async () => {
    const { turns, enter, leave, order } = turnsOf();
    enter('quiet');
    enter('flood', slots);
    const gone = new AbortController();
    enter('flood', 1, gone.signal);
    enter('flood', 1);
    gone.abort();
    await leave('flood', 'flood', 'flood', 'flood');
    expect(order.filter((name) => name === 'flood left')).toHaveLength(1);
    // And of one who has left before it came nothing stays.
    const { own } = turns.standing('flood');
    enter('flood', slots);
    enter('flood', 1, gone.signal);
    expect(turns.standing('flood').own).toBe(own + slots);
  });
});
