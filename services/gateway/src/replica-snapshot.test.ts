import { createMetrics, silentLogger } from '@vortex/observability';
import type { BreakerView, ReplicaState } from '@vortex/queue';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mirrorReplicaLoads } from './replica-gauge.ts';
import { createReplicaSnapshot } from './replica-snapshot.ts';

const breaker: BreakerView = {
  state: 'closed',
  failure_ratio: 0,
  trips: 0,
  probe_in_ms: null,
  cap: null,
  first_token_ms: null,
};
const state = (name: string, more: Partial<ReplicaState> = {}): ReplicaState => ({
  url: `http://${name}`,
  worker_name: name,
  load: 0,
  slots: 4,
  state: 'up',
  breaker,
  silent_ms: 0,
  ...more,
});

function snapshotOf(replicas: () => Promise<ReplicaState[]>) {
  const clock = { ms: 0 };
  const snapshot = createReplicaSnapshot({ inspector: { replicas }, log: silentLogger, now: () => clock.ms });
  onTestFinished(() => snapshot.close());
  return { snapshot, clock };
}

describe('createReplicaSnapshot', () => {
  it('offers the replicas that take work, with their list’s name and slots', async () => {
    const { snapshot } = snapshotOf(async () => [state('a'), state('b', { state: 'draining' }), state('c')]);
    expect(snapshot.candidates(1)).toEqual([]);
    await snapshot.refresh();
    expect(new Set(snapshot.candidates(1))).toEqual(
      new Set([
        { url: 'http://a', workerName: 'a', slots: 4 },
        { url: 'http://c', workerName: 'c', slots: 4 },
      ]),
    );
  });

  it('offers nobody once it is older than three seconds, but still shows what it knew', async () => {
    let away = false;
    const { snapshot, clock } = snapshotOf(async () => {
      if (away) throw new Error('redis is away');
      return [state('a')];
    });
    await snapshot.refresh();
    away = true;
    clock.ms = 3000;
    await snapshot.refresh();
    expect(snapshot.candidates(1)).toHaveLength(1);
    clock.ms = 3001;
    expect(snapshot.candidates(1)).toEqual([]);
    expect(snapshot.latest()).toEqual({ replicas: [state('a')], redisReachable: false, ageMs: 3001 });
  });

  it('counts the slots that may be used, and is gone ten seconds after the last beat of the last replica', async () => {
    let states = [
      state('a'),
      state('b', { breaker: { ...breaker, state: 'open' } }),
      state('c', { breaker: { ...breaker, cap: 2 } }),
      state('d', { state: 'draining' }),
    ];
    const { snapshot, clock } = snapshotOf(async () => states);
    await snapshot.refresh();
    expect(snapshot.capacity()).toEqual({ slots: 6, isGone: false });
    states = states.map((one) => ({ ...one, state: 'down', silent_ms: 9000 }));
    clock.ms = 9000;
    await snapshot.refresh();
    expect(snapshot.capacity()).toEqual({ slots: 0, isGone: false });
    clock.ms = 10_000;
    expect(snapshot.capacity().isGone).toBe(true);
    states = [];
    await snapshot.refresh();
    expect(snapshot.capacity().isGone).toBe(true);
    // Redis has not answered for three seconds: who knows.
    clock.ms = 13_001;
    expect(snapshot.capacity().isGone).toBe(false);
  });

  it('asks once at a time', async () => {
    let asked = 0;
    const answer = Promise.withResolvers<ReplicaState[]>();
    const { snapshot } = snapshotOf(() => {
      asked += 1;
      return answer.promise;
    });
    const both = Promise.all([snapshot.refresh(), snapshot.refresh()]);
    answer.resolve([]);
    await both;
    expect(asked).toBe(1);
  });
});

describe('mirrorReplicaLoads', () => {
  it('shows each replica’s load as it is at the scrape, and forgets who has left', async () => {
    const metrics = createMetrics('test');
    let states = [state('a', { load: 2 }), state('b')];
    mirrorReplicaLoads(metrics, { replicas: async () => states, retryBudget: async () => 7 });
    const { body } = await metrics.render();
    expect(body).toContain('api_gateway_replica_load{replica="http://a",service="test"} 2');
    expect(body).toContain('api_gateway_replica_load{replica="http://b",service="test"} 0');
    expect(body).toContain('api_gateway_replica_state{replica="http://b",service="test"} 1');
    expect(body).toContain('api_gateway_retry_budget{service="test"} 7');
    states = [state('a', { load: 1, breaker: { ...breaker, state: 'half_open' } })];
    const later = await metrics.render();
    expect(later.body).toContain('api_gateway_replica_load{replica="http://a",service="test"} 1');
    expect(later.body).toContain('api_gateway_replica_state{replica="http://a",service="test"} 0.5');
    expect(later.body).not.toContain('http://b');
  });
});
