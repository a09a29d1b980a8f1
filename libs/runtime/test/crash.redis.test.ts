import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stages } from '@vortex/contracts';
import { keys } from '@vortex/queue';
import { until } from '@vortex/testkit';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openWorkbench, question, type Workbench } from './stage-bench.ts';

/**
 * Real processes, really killed and frozen. Their leases outlast every test, so that none lapses because the machine
 * was busy: what time does to those of the dead, the test does as soon as they are dead.
 */
let bench: Workbench;
const children: ChildProcess[] = [];
const lapses: Promise<void>[] = [];
beforeAll(async () => {
  bench = await openWorkbench('crash');
});
afterEach(async () => {
  for (const child of children.splice(0)) await end(child);
  await Promise.all(lapses.splice(0));
  await bench.clear();
});
afterAll(() => bench.close());

function forkVictim(options: { leaseMs?: number; stuckMs?: number } = {}): ChildProcess {
  const child = fork(
    new URL('./fixtures/victim.ts', import.meta.url),
    [bench.redis.url, JSON.stringify(options)],
    {
      execArgv: ['--conditions=vortex-source'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  children.push(child);
  child.once('exit', () => lapses.push(lapse(child)));
  return child;
}

async function startVictim(options: { leaseMs?: number; stuckMs?: number } = {}): Promise<ChildProcess> {
  const child = forkVictim(options);
  await once(child, 'message');
  return child;
}

const membersOf = async ({ pid }: ChildProcess) =>
  (await bench.redis.client.zrange(keys.workers, '0', '-1')).filter((member) => member.includes(`-${pid}-`));

async function lapse(child: ChildProcess): Promise<void> {
  for (const member of await membersOf(child)) await bench.redis.client.zadd(keys.workers, 'XX', 1, member);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Of a folder that goes with the test; the file itself is not there yet. */
function aFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vortex-crash-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'go-on');
}

const inFlight = async () => {
  const lists = await bench.redis.client.keys('*:proc:*');
  const lengths = await Promise.all(lists.map((list) => bench.redis.client.llen(list)));
  return lengths.reduce((sum, length) => sum + length, 0);
};
const nothingLeft = async () => {
  expect(await bench.redis.client.zcard(keys.live('interactive'))).toBe(0);
  expect(await inFlight()).toBe(0);
};

test('workers are killed under load: every query is answered, none is dead or left', async () => {
  const submitter = await bench.submitter();
  await startVictim();
  await startVictim();
  const ids = Array.from({ length: 200 }, (_, place) => `k${place}`);
  const answers = Promise.all(
    ids.map((id, place) =>
      submitter.submit(question(id, { envelope: { query: `wait:${(place % 7) * 20}` } })),
    ),
  );
  // Two kills: with three, a job that was in hand each time would rightly be taken for poison.
  for (let round = 0; round < 2; round += 1) {
    await until('something is in flight', async () => (await inFlight()) > 0 || submitter.waiting() === 0);
    const victim = children.shift();
    if (victim !== undefined) await end(victim);
    await startVictim();
  }
  const statuses = (await answers).map((text) => JSON.parse(text)).map(({ id, status }) => [id, status]);
  expect(statuses).toEqual(ids.map((id) => [id, 'completed']));
  await until('in-flight lists are empty', async () => (await inFlight()) === 0);
  await nothingLeft();
});

test('a query that kills its worker is dead after three deliveries; the others are answered', async () => {
  const submitter = await bench.submitter();
  for (let worker = 0; worker < 4; worker += 1) await startVictim();
  const poison = submitter.submit(question('poison', { envelope: { query: 'die' } }));
  const others = ['a', 'b', 'c'].map((id) => submitter.submit(question(id)));
  expect(JSON.parse(await poison)).toMatchObject({
    status: 'failed',
    attempt: 3,
    error: { code: 'poison', stage: 'encode' },
  });
  for (const text of await Promise.all(others))
    expect(JSON.parse(text)).toMatchObject({ status: 'completed' });
  expect(children.filter((child) => child.signalCode === 'SIGKILL')).toHaveLength(3);
  expect(await bench.letters('job:encoder_in')).toMatchObject([{ id: 'poison', code: 'poison' }]);
});

test('those that are with it in the only worker each time it dies suffer nothing but the delay', async () => {
  const submitter = await bench.submitter();
  const revive = (): void => {
    // Not waited for: it may be dead before it is ready.
    const child = forkVictim();
    child.once('exit', (_code, signal) => {
      // The test's own end kills too, when it has taken all children out.
      if (signal === 'SIGKILL' && children.includes(child)) revive();
    });
  };
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const innocent = (id: string) => submitter.submit(question(id, { envelope: { query: 'wait:150' } }));
  const first = ids.slice(0, 4).map(innocent);
  const poison = submitter.submit(question('poison', { envelope: { query: 'die' } }));
  const others = [...first, ...ids.slice(4).map(innocent)];
  await until('all wait', async () => (await bench.redis.client.llen('job:encoder_in')) === 8);
  revive();
  expect(JSON.parse(await poison)).toMatchObject({ attempt: 3, error: { code: 'poison' } });
  const ends = (await Promise.all(others)).map((text) => JSON.parse(text) as Record<string, unknown>);
  expect(ends.map(({ id, status }) => [id, status])).toEqual(ids.map((id) => [id, 'completed']));
  expect(children.filter((child) => child.signalCode === 'SIGKILL')).toHaveLength(3);
  expect(await bench.letters('job:encoder_in')).toMatchObject([{ id: 'poison', code: 'poison' }]);
  await nothingLeft();
});

test('bare ids: the worker is killed and others take over; one that kills its workers is poison by the count of who knows it', async () => {
  const submitter = await bench.submitter();
  const list = stages.upload.list;
  // The first worker holds on to those it begins, and takes eight.
  const ids = Array.from({ length: 20 }, (_, place) =>
    place < 8 ? `job_hold:${place}` : `job_pass:${place}`,
  );
  const idJob = (id: string) =>
    question(id, {
      list,
      lane: 'low',
      envelope: 'bare',
      track: { type: 'document_upload', tenant: 'default' },
    });
  const first = await startVictim();
  for (const id of ids) await submitter.enqueue(idJob(id));
  await until('it has as many as it takes', async () => (await inFlight()) === 8);
  // Claimed is not yet known: a kill in between is no delivery to who counts them.
  await until('all are known to it', async () => (await bench.redis.client.hlen('test:deliveries')) === 8);
  // None of them is done before the kill; whoever takes one over finds it redelivered and is through at once.
  await end(first);
  for (let worker = 0; worker < 4; worker += 1) await startVictim();
  await submitter.enqueue(idJob('job_die'));
  const status = (id: string) => bench.redis.client.hget(keys.job(id), 'status');
  await until('poison is buried', async () => (await status('job_die')) === 'failed');
  expect(await bench.redis.client.hget('test:ends', 'job_die')).toBe('poison');
  expect(await bench.letters(list)).toMatchObject([{ id: 'job_die', raw: 'job_die', code: 'poison' }]);
  expect(children.filter((child) => child.signalCode === 'SIGKILL')).toHaveLength(1 + 3);
  for (const id of ids) expect(await bench.completion(id)).toMatchObject({ id, status: 'completed' });
  expect(await bench.redis.client.hmget('test:deliveries', ...ids.slice(0, 8))).not.toContain('1');
  expect(await bench.redis.client.hget('test:deliveries', 'job_die')).toBe('4');
  expect(await bench.redis.client.scard(keys.active)).toBe(0);
  expect(await bench.redis.client.zcard(keys.live('low'))).toBe(0);
  expect(await inFlight()).toBe(0);
});

test('a worker frozen beyond its lease loses its work, and when it wakes its output is dropped', async () => {
  const submitter = await bench.submitter();
  const frozen = await startVictim();
  const answer = submitter.submit(question('frozen', { envelope: { query: 'once:frozen' } }));
  await until('it runs', async () => (await bench.redis.client.exists('test:frozen')) === 1);
  frozen.kill('SIGSTOP');
  await startVictim();
  // Again and again: a beat may still have been on its way, and its blocked connections be given a job once more.
  await until('another has done its work', async () => {
    await lapse(frozen);
    return (await bench.redis.client.exists(keys.completion('frozen'))) === 1;
  });
  const completion = JSON.parse(await answer);
  expect(completion).toMatchObject({ status: 'completed' });
  frozen.kill('SIGCONT');
  await bench.redis.client.del('test:frozen');
  const later = await submitter.submit(question('after'));
  expect(JSON.parse(later)).toMatchObject({ status: 'completed' });
  await until('nothing is in flight', async () => (await inFlight()) === 0);
  expect(JSON.parse((await bench.redis.client.get(keys.completion('frozen'))) ?? '')).toEqual(completion);
  await nothingLeft();
});

test('a main loop that hangs loses its lease though its process lives', async () => {
  const submitter = await bench.submitter();
  await startVictim({ leaseMs: 800, stuckMs: 400 });
  // It does not end by itself.
  const answer = submitter.submit(question('hung', { envelope: { query: `block:${aFile()}` } }));
  await until('it runs', async () => (await inFlight()) === 1);
  const again = until(
    'it came back to the list',
    async () => (await bench.redis.client.llen('job:encoder_in')) === 1,
  );
  // The submitter's caretaker is off and the only worker hangs: somebody has to look after it.
  await bench.start({}, { caretakerMs: 100 });
  await again;
  await bench.redis.client.del('job:encoder_in');
  await bench.redis.client.zrem('job:live', 'hung');
  await bench.redis.client.set(keys.completion('hung'), '{"id":"hung","status":"completed"}', 'EX', 60);
  await answer;
});

test('a busy main loop keeps its lease: computing is not hanging', async () => {
  const submitter = await bench.submitter();
  const busy = await startVictim();
  const done = aFile();
  const answer = submitter.submit(question('busy', { envelope: { query: `block:${done}` } }));
  await until('it runs', async () => (await inFlight()) === 1);
  // The first may have been sent before it began.
  for (let beat = 0; beat < 3; beat += 1) {
    const lease = async () =>
      Number(await bench.redis.client.zscore(keys.workers, (await membersOf(busy))[0] ?? ''));
    const before = await lease();
    await until('its lease is renewed', async () => (await lease()) > before);
  }
  expect(await inFlight()).toBe(1);
  writeFileSync(done, '');
  expect(JSON.parse(await answer)).toMatchObject({ status: 'completed', attempt: 1 });
});
