import type { ReplicaNotes, ReplicaVerdict } from '@vortex/queue';
import { describe, expect, test } from 'vitest';
import { createReplicaHealth, type ReplicaHealth } from './replica-health.ts';

const url = 'http://replica';
const sharedList = 'job:llm_in';
const closed: ReplicaVerdict = {
  state: 'closed',
  from: 'closed',
  trips: 0,
  slots: 4,
  shared: true,
  drained: false,
  others: 2,
  budget: 10,
};
const open: ReplicaVerdict = { ...closed, state: 'open', trips: 1, slots: 0, shared: false };
const firstTry = { attempt: 1, redelivered: 0 };
const probe = { ...firstTry, replica: { worker_name: 'llm', url, probe: true } };

/** A health whose Redis answers what the test says, and what it was told. */
function withVerdicts(...verdicts: ReplicaVerdict[]) {
  const told: ReplicaNotes[] = [];
  const health = createReplicaHealth({ workerName: 'llm', slots: 4, leastMs: 2000 });
  health.attach({
    url,
    sharedList,
    async send(notes) {
      told.push(notes);
      return verdicts[Math.min(told.length, verdicts.length) - 1] ?? closed;
    },
    onVerdict() {},
  });
  return { health, told };
}
const allowed = (health: ReplicaHealth) => {
  const { slots, mayTake } = health.allowance();
  return { slots, own: mayTake('job:llm_in:llm'), shared: mayTake(sharedList) };
};

describe('reports', () => {
  test('calls that go well wait for the next round, a failure does not', async () => {
    const { health, told } = withVerdicts(closed);
    await health.report();
    for (let call = 0; call < 3; call += 1) health.begin(firstTry).end('ok');
    expect(told).toHaveLength(1);
    health.begin({ ...firstTry, attempt: 2 }).end('failed');
    expect(told).toHaveLength(2);
    expect(told[1]).toMatchObject({ ok: 3, failed: 1, streak: 1, begun: 3 });
  });

  test('a job that was put off, tried before or redelivered deposits nothing for the retries of others', async () => {
    const { health, told } = withVerdicts(closed);
    health.begin(firstTry);
    for (let again = 0; again < 20; again += 1) health.begin({ ...firstTry, first_at: 1000 });
    health.begin({ ...firstTry, attempt: 2, first_at: 1000 });
    health.begin({ ...firstTry, redelivered: 1 });
    await health.report();
    expect(told[0]).toMatchObject({ begun: 1 });
  });

  test('a late call weighs three; one that went well ends the streak; a neutral one is not told', async () => {
    const { health, told } = withVerdicts(closed);
    await health.report();
    const calls = Array.from({ length: 4 }, () => health.begin(firstTry));
    calls[0]?.end('late');
    calls[0]?.end('ok');
    calls[1]?.end('ok');
    calls[2]?.end('late');
    calls[3]?.end('neutral');
    await health.report();
    await health.report();
    expect(told.slice(1, 3)).toMatchObject([
      { ok: 0, failed: 1, streak: 3 },
      { ok: 1, failed: 1, streak: 3 },
    ]);
  });

  test('a call that began before the breaker opened says nothing after it', async () => {
    const { health, told } = withVerdicts(closed, open);
    await health.report();
    const before = health.begin(firstTry);
    await health.report();
    before.end('failed');
    await health.report();
    expect(told.at(-1)).toMatchObject({ ok: 0, failed: 0 });
  });

  test('a probe is told while it runs, and when it ended without a word', async () => {
    const { health, told } = withVerdicts(open);
    await health.report();
    const call = health.begin(probe);
    await health.report();
    expect(told.at(-1)).toMatchObject({ probing: true });
    call.end('neutral');
    await health.report();
    expect(told.some(({ released, probing }) => released === true && probing === undefined)).toBe(true);
  });

  test('what Redis did not hear is told again', async () => {
    let away = true;
    const told: ReplicaNotes[] = [];
    const health = createReplicaHealth({ workerName: 'llm', slots: 4, leastMs: 2000 });
    health.attach({
      url,
      sharedList,
      async send(notes) {
        if (away) throw new Error('redis is away');
        told.push(notes);
        return closed;
      },
      onVerdict() {},
    });
    health.begin(firstTry).end('ok');
    await health.report();
    away = false;
    await health.report();
    expect(told[0]).toMatchObject({ ok: 1, begun: 1 });
  });

  test('the pace is told once three calls were measured, and forgotten when the breaker closes', async () => {
    const { health, told } = withVerdicts(closed, closed, { ...closed, from: 'half_open' });
    const call = health.begin(firstTry);
    for (const ms of [100, 100]) call.firstToken(ms);
    await health.report();
    call.firstToken(100);
    await health.report();
    await health.report();
    await health.report();
    expect(told.map(({ first_token_ms: ms }) => ms)).toEqual([undefined, 100, 100, undefined]);
  });
});

describe('what is allowed', () => {
  test('everything before the first verdict and while closed', async () => {
    const { health } = withVerdicts({ ...closed, slots: 2 });
    expect(allowed(health)).toEqual({ slots: 4, own: true, shared: true });
    await health.report();
    expect(allowed(health)).toEqual({ slots: 2, own: true, shared: true });
    expect(health.mayRun({})).toBe(true);
  });

  test('open: its own list, of which only the probe runs', async () => {
    const { health } = withVerdicts(open);
    await health.report();
    expect(allowed(health)).toEqual({ slots: 1, own: true, shared: false });
    expect(health.mayRun({})).toBe(false);
    expect(health.mayRun({ replica: { worker_name: 'llm', url } })).toBe(false);
    expect(health.mayRun({ replica: { worker_name: 'b', url: 'http://b', probe: true } })).toBe(false);
    expect(health.mayRun(probe)).toBe(true);
  });

  test('open and forced: what the verdict says', async () => {
    const { health } = withVerdicts({ ...open, slots: 4, shared: true, others: 0 });
    await health.report();
    expect(allowed(health)).toEqual({ slots: 4, own: true, shared: true });
    expect(health.mayRun({})).toBe(true);
  });

  test('a job that failed here is for others, for three seconds and while there are any', async () => {
    const { health } = withVerdicts(closed, { ...closed, others: 0 });
    const job = { exclude: [url], enqueued_at: 1000 };
    expect(health.isForOthers(job, 1000)).toBe(false);
    await health.report();
    expect(health.isForOthers(job, 1000)).toBe(true);
    expect(health.isForOthers(job, 4000)).toBe(false);
    expect(health.isForOthers({ enqueued_at: 1000 }, 1000)).toBe(false);
    await health.report();
    expect(health.isForOthers(job, 1000)).toBe(false);
  });
});
