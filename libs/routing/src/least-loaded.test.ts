import { describe, expect, it } from 'vitest';
import { leastLoaded } from './least-loaded.ts';
import { type Candidate, chooseReplica, costAt, type ReplicaView } from './policy.ts';

const replica = (id: string, more: Partial<ReplicaView> = {}): ReplicaView => ({
  id,
  slots: 20,
  load: 0,
  state: 'up',
  ...more,
});
const three = { replicas: [replica('one'), replica('two'), replica('three')] };
const loads = (values: Record<string, number>) => (id: string) => values[id] ?? 0;

describe('leastLoaded', () => {
  it('chooses the replica with the fewest leases, whatever the seed', () => {
    for (let seed = 0; seed < 500; seed += 1) {
      expect(chooseReplica(leastLoaded(three, {}, seed), loads({ one: 4, two: 3, three: 5 }))).toBe('two');
    }
  });

  it('breaks ties evenly', () => {
    const chosen = new Map<string, number>();
    const rounds = 6000;
    for (let seed = 0; seed < rounds; seed += 1) {
      const id = chooseReplica(leastLoaded(three, {}, seed), loads({}));
      if (id !== null) chosen.set(id, (chosen.get(id) ?? 0) + 1);
    }
    const expected = rounds / 3;
    const chiSquare = [...chosen.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(chosen.size).toBe(3);
    // 13.8 is the 0.1 % quantile for two degrees of freedom; seeds are fixed, so this cannot flicker.
    expect(chiSquare).toBeLessThan(13.8);
  });

  it('spreads a burst evenly when each choice is counted', () => {
    const live: Record<string, number> = {};
    for (let seed = 0; seed < 30; seed += 1) {
      const id = chooseReplica(leastLoaded(three, {}, seed), loads(live));
      if (id !== null) live[id] = (live[id] ?? 0) + 1;
    }
    expect(live).toEqual({ one: 10, two: 10, three: 10 });
  });

  it('never chooses a full, draining or dead replica, and says so when none is left', () => {
    const plan = leastLoaded(
      {
        replicas: [
          replica('full', { slots: 4 }),
          replica('leaving', { state: 'draining' }),
          replica('dead', { state: 'down' }),
          replica('slotless', { slots: 0 }),
        ],
      },
      {},
      7,
    );
    expect(plan.candidates.map((candidate) => candidate.id)).toEqual(['full']);
    expect(chooseReplica(plan, loads({ full: 3 }))).toBe('full');
    expect(chooseReplica(plan, loads({ full: 4 }))).toBeNull();
    expect(leastLoaded({ replicas: [] }, {}, 7)).toEqual({ candidates: [], explain: 'no_replica' });
  });

  it('is pure: the same seed gives the same plan, and renaming replicas renames the choice', () => {
    expect(leastLoaded(three, {}, 42)).toEqual(leastLoaded(three, {}, 42));
    const renamed = { replicas: three.replicas.map((one) => ({ ...one, id: `${one.id}!` })) };
    for (let seed = 0; seed < 100; seed += 1) {
      const before = chooseReplica(leastLoaded(three, {}, seed), loads({}));
      expect(chooseReplica(leastLoaded(renamed, {}, seed), loads({}))).toBe(`${before}!`);
    }
  });
});

describe('the hinge', () => {
  const candidate: Candidate = { id: 'r', a: 0.5, b: 2, f: 3, cap: 8 };

  it('is flat up to f and rises by b after it', () => {
    expect([0, 3, 4, 6].map((load) => costAt(candidate, load))).toEqual([0.5, 0.5, 2.5, 6.5]);
  });

  it('chooses the same replica when all costs are scaled', () => {
    const plan = leastLoaded(three, {}, 3);
    const scaled = {
      ...plan,
      candidates: plan.candidates.map((one) => ({ ...one, a: one.a * 7, b: one.b * 7 })),
    };
    const live = loads({ one: 2, two: 1, three: 1 });
    expect(chooseReplica(scaled, live)).toBe(chooseReplica(plan, live));
  });
});
