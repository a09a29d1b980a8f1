import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { choosePorts } from '../src/ports.ts';
import {
  FolderInUse,
  type Instance,
  type InstancePlan,
  type PlannedProcess,
  StartFailed,
  startInstance,
} from '../src/supervisor/instance.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../src/supervisor/process-identity.ts';
import { type RunProcess, readRunFile, writeRunFile } from '../src/supervisor/run-file.ts';

// One piece: every test supervises the same few fake services.

let folder: string;
const running: Instance[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vortex supervisor-'));
});
afterEach(async () => {
  for (const instance of running.splice(0)) await instance.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('a supervised instance', () => {
  it('brings a process that died back, at its old address', async () => {
    const instance = await started(await planOf(['gateway', 'encoder']));
    await instance.onceReady;
    const before = processOf('encoder');
    kill(before.identity, 'SIGKILL');
    await until(() => processOf('encoder').state === 'ready' && processOf('encoder').restarts === 1);
    const after = processOf('encoder');
    expect(after.url).toBe(before.url);
    expect(after.identity?.pid).not.toBe(before.identity?.pid);
    expect(processOf('gateway').restarts).toBe(0);
    const own = getPriority();
    expect(getPriority(processOf('gateway').identity?.pid)).toBe(own);
    expect(getPriority(after.identity?.pid)).toBe(Math.min(19, own + 5));
    if (existsSync('/proc/self/autogroup')) {
      expect(sessionNiceness('gateway')).toBe(0);
      await until(() => sessionNiceness('encoder') === 5);
    }
    expect((await fetch(`${after.url}/readyz`)).status).toBe(200);
  });

  it('leaves a frozen process alone', async () => {
    const instance = await started(await planOf(['gateway', 'encoder']));
    await instance.onceReady;
    const frozen = processOf('encoder');
    kill(frozen.identity, 'SIGSTOP');
    // Two restarts of the other are time enough to have done something about the frozen one.
    for (const round of [1, 2]) {
      kill(processOf('gateway').identity, 'SIGKILL');
      await until(() => processOf('gateway').state === 'ready' && processOf('gateway').restarts === round);
    }
    expect(processOf('encoder')).toMatchObject({ identity: frozen.identity, restarts: 0 });
    kill(frozen.identity, 'SIGCONT');
    expect((await fetch(`${frozen.url}/readyz`)).status).toBe(200);
  });

  it('gives up a first start when a process never becomes ready, and stops the others', async () => {
    const plan = await planOf(['gateway', 'encoder']);
    modify(plan, 'encoder', (entry) => {
      entry.env.MODE = 'exit';
    });
    const instance = await started(plan);
    const failure = await instance.onceReady.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StartFailed);
    expect((failure as StartFailed).message).toMatch(/encoder does not start: it ended with exit code 7/);
    expect((failure as StartFailed).logLines).toContain('the fake service was told to end');
    expect(readRunFile(plan.runFile)).toMatchObject({ phase: 'failed' });
    expect(processOf('gateway').identity).toBeNull();
  });

  it('kills what does not end in time', async () => {
    const plan = await planOf(['gateway']);
    modify(plan, 'gateway', (entry) => {
      entry.env.MODE = 'deaf';
      entry.stopBudgetMs = 100;
    });
    const instance = await started(plan);
    await instance.onceReady;
    const { identity } = processOf('gateway');
    await instance.stop();
    expect(identity !== null && isAlive(identity)).toBe(false);
  });

  it('starts a group only when the one before it is ready', async () => {
    const plan = await planOf(['redis', 'gateway']);
    plan.groups = plan.groups.flat().map((entry) => [entry]);
    const events: string[] = [];
    const instance = await startInstance(plan, ({ plan: { service } }, event) => {
      events.push(`${service} ${event.split(' ')[0]}`);
    });
    running.push(instance);
    await instance.onceReady;
    expect(events).toEqual(['redis started', 'redis ready', 'gateway started', 'gateway ready']);
  });
});

describe('a restart', () => {
  it('takes one process after the other, each at its old address, and never the stores', async () => {
    const instance = await started(await planOf(['redis', 'encoder', 'gateway']));
    await instance.onceReady;
    const before = ['redis', 'encoder', 'gateway'].map(processOf);
    const events = await restarted();
    expect(events.map(({ event, service }) => [event, service])).toEqual([
      ['stopping', 'encoder'],
      ['starting', 'encoder'],
      ['ready', 'encoder'],
      ['stopping', 'gateway'],
      ['starting', 'gateway'],
      ['ready', 'gateway'],
      ['done', undefined],
    ]);
    const after = ['redis', 'encoder', 'gateway'].map(processOf);
    expect(after.map(({ url }) => url)).toEqual(before.map(({ url }) => url));
    const moved = after.map(({ identity }, place) => identity?.pid !== before[place]?.identity?.pid);
    expect(moved).toEqual([false, true, true]);
    expect(after.map(({ state, restarts }) => [state, restarts])).toEqual(Array(3).fill(['ready', 0]));
    expect(events.find(({ event }) => event === 'ready')).toMatchObject({
      ended: 'ended with exit code 0',
      pid: after[1]?.identity?.pid,
    });
  });

  it('takes those that are named, by service or by worker name', async () => {
    const instance = await started(await planOf(['redis', 'encoder', 'gateway']));
    await instance.onceReady;
    expect(servicesOf(await restarted('encoder_1', 'redis'), 'ready')).toEqual(['redis', 'encoder']);
    const [refused] = await restarted('encoder', 'decoder');
    expect(refused).toMatchObject({ event: 'failed', service: null });
    expect(refused?.reason).toBe(
      'nothing here is called decoder; known are redis, redis_1, encoder, encoder_1, gateway, gateway_1',
    );
  });

  it('asked twice is done twice, the second after the first', async () => {
    const instance = await started(await planOf(['encoder', 'gateway']));
    await instance.onceReady;
    const order: string[] = [];
    const note = (who: string) => (event: ControlEvent) => order.push(`${who} ${event.event}`);
    await Promise.all([ask([], note('first')), ask(['gateway'], note('second'))]);
    const [ahead, behind] = order.includes('second waiting') ? ['first', 'second'] : ['second', 'first'];
    expect(order.filter((entry) => entry.startsWith(`${behind}`)).slice(0, 2)).toEqual([
      `${behind} waiting`,
      `${behind} stopping`,
    ]);
    expect(order.indexOf(`${behind} stopping`)).toBeGreaterThan(order.indexOf(`${ahead} done`));
    expect(processOf('gateway').state).toBe('ready');
  });

  it('ends at a process that does not come back, and says why', async () => {
    const plan = await planOf(['encoder', 'gateway']);
    const instance = await started(plan);
    await instance.onceReady;
    const untouched = processOf('gateway').identity;
    modify(plan, 'encoder', (entry) => {
      entry.env.MODE = 'exit';
    });
    const events = await restarted();
    expect(events.at(-1)).toMatchObject({
      event: 'failed',
      service: 'encoder',
      log_file: processOf('encoder').log_file,
    });
    expect(events.at(-1)?.reason).toMatch(/does not start: it ended with exit code 7, 3 times in a row/);
    expect(processOf('gateway').identity).toEqual(untouched);
    // It stays in the supervisor's care.
    modify(plan, 'encoder', (entry) => {
      delete entry.env.MODE;
    });
    await until(() => processOf('encoder').state === 'ready');
  });

  it('ends with the instance', async () => {
    const plan = await planOf(['encoder', 'gateway']);
    modify(plan, 'encoder', (entry) => {
      entry.env.MODE = 'deaf';
      entry.stopBudgetMs = 200;
    });
    const instance = await started(plan);
    await instance.onceReady;
    const events: ControlEvent[] = [];
    const asked = ask([], (event) => {
      events.push(event);
      if (event.event === 'stopping') void instance.stop();
    });
    await instance.onceStopped;
    await asked;
    expect(events.at(-1)).toMatchObject({ event: 'failed', reason: 'the instance is being stopped' });
    expect(['encoder', 'gateway'].map((service) => processOf(service).identity)).toEqual([null, null]);
  });

  it('leaves the rest alone when the client that asked has left', async () => {
    const instance = await started(await planOf(['encoder', 'gateway']));
    await instance.onceReady;
    const untouched = processOf('gateway').identity;
    const leave = new AbortController();
    await ask([], ({ event }) => event === 'stopping' && leave.abort(), leave.signal);
    // The next in turn begins only when that one has ended.
    expect(servicesOf(await restarted('encoder'), 'ready')).toEqual(['encoder']);
    expect(processOf('gateway').identity).toEqual(untouched);
  });

  it('is refused to what is no request, and open to nobody but the owner', async () => {
    const instance = await started(await planOf(['gateway']));
    await instance.onceReady;
    const { mode } = statSync(controlSocket());
    expect(mode & 0o777).toBe(0o600);
    for (const text of ['{}\n', 'restart\n', `${'x'.repeat(20_000)}`]) {
      const events: ControlEvent[] = [];
      await send(text, (event) => events.push(event));
      expect(events).toMatchObject([{ event: 'failed', service: null }]);
    }
  });
});

describe('one data folder', () => {
  it('has one supervisor at most', async () => {
    const plan = await planOf(['gateway']);
    await (await started(plan)).onceReady;
    await expect(startInstance(plan)).rejects.toThrow(FolderInUse);
  });

  it('is cleaned of what a killed supervisor left before it is used again', async () => {
    const plan = await planOf(['gateway', 'encoder']);
    const supervisor = spawn(
      process.execPath,
      ['--conditions=vortex-source', join(import.meta.dirname, '../src/supervisor/supervisor-main.ts')],
      { stdio: ['pipe', 'ignore', 'inherit'] },
    );
    supervisor.stdin.end(JSON.stringify(plan));
    await until(() => readRunFile(plan.runFile)?.phase === 'ready');
    const orphans = ['gateway', 'encoder'].map((service) => processOf(service).identity);
    // One of them frozen: it takes no SIGTERM as it is.
    kill(orphans[1] ?? null, 'SIGSTOP');
    supervisor.kill('SIGKILL');
    await until(() => supervisor.signalCode !== null);
    expect(orphans.every((identity) => identity !== null && isAlive(identity))).toBe(true);

    const instance = await started(plan);
    await instance.onceReady;
    expect(orphans.some((identity) => identity !== null && isAlive(identity))).toBe(false);
    expect(processOf('gateway')).toMatchObject({ state: 'ready', restarts: 0 });
  });

  it('never signals a pid that belongs to another process by now', async () => {
    const plan = await planOf(['gateway']);
    await (await started(plan)).onceReady;
    const stranger = identityOf(process.pid) as ProcessIdentity;
    const entry = processOf('gateway');
    await running.splice(0)[0]?.stop();
    const left = readRunFile(plan.runFile);
    if (left === null) throw new Error('the stopped supervisor left no run file');
    writeRunFile(plan.runFile, {
      ...left,
      processes: [{ ...entry, identity: { pid: stranger.pid, started: 'some other start' } }],
    });
    const instance = await started(plan);
    await instance.onceReady;
    expect(isAlive(stranger)).toBe(true);
  });
});

/** What its session yields to other sessions (yield-processor.ts). */
function sessionNiceness(service: string): number {
  const text = readFileSync(`/proc/${processOf(service).identity?.pid}/autogroup`, 'utf8');
  return Number(/nice (-?\d+)/.exec(text)?.[1]);
}

type ControlEvent = { event: string; service?: string; reason?: string };

function controlSocket(): string {
  const path = readRunFile(join(folder, 'run', 'vortex.json'))?.control_socket;
  if (typeof path !== 'string') throw new Error('the run file names no control socket');
  return path;
}

/** Sends a line and reads every line that comes back. */
async function send(
  text: string,
  tell: (event: ControlEvent) => unknown,
  signal?: AbortSignal,
): Promise<void> {
  const socket = createConnection(controlSocket());
  signal?.addEventListener('abort', () => socket.destroy());
  socket.write(text);
  createInterface({ input: socket }).on('line', (line) => tell(JSON.parse(line)));
  await once(socket, 'close');
}

const ask = (services: string[], tell: (event: ControlEvent) => unknown, signal?: AbortSignal) =>
  send(`${JSON.stringify({ command: 'restart', services })}\n`, tell, signal);

async function restarted(...services: string[]): Promise<ControlEvent[]> {
  const events: ControlEvent[] = [];
  await ask(services, (event) => events.push(event));
  return events;
}

const servicesOf = (events: readonly ControlEvent[], kind: string) =>
  events.filter(({ event }) => event === kind).map(({ service }) => service);

async function planOf(services: string[]): Promise<InstancePlan> {
  const ports = await choosePorts(services, {});
  const group = services.map((service): PlannedProcess => {
    const url = `http://127.0.0.1:${ports[service]}`;
    return {
      service,
      workerName: `${service}_1`,
      command: process.execPath,
      args: [join(import.meta.dirname, 'fixtures/fake-service.mjs')],
      env: { PORT: String(ports[service]) },
      cwd: folder,
      url,
      probe: { kind: 'http', url: `${url}/readyz` },
      logFile: join(folder, 'logs', `${service}.log`),
      stopBudgetMs: 5000,
      niceness: service === 'gateway' ? 0 : 5,
      upstreamUrls: [],
    };
  });
  return {
    runFile: join(folder, 'run', 'vortex.json'),
    lockFile: join(folder, 'run', 'lock.sqlite'),
    portsFile: join(folder, 'run', 'ports.json'),
    ports,
    host: '127.0.0.1',
    port: 0,
    gatewayUrl: 'http://127.0.0.1:0',
    gatewayCertFile: null,
    gatewayAdminUrl: null,
    redisUrl: 'redis://127.0.0.1:0',
    cacheUrl: null,
    llm: 'mock',
    groups: [group],
    readyWithinMs: 30_000,
  };
}

async function started(plan: InstancePlan): Promise<Instance> {
  const instance = await startInstance(plan);
  running.push(instance);
  return instance;
}

function modify(plan: InstancePlan, service: string, change: (entry: PlannedProcess) => void): void {
  for (const entry of plan.groups.flat()) if (entry.service === service) change(entry);
}

function processOf(service: string): RunProcess {
  const run = readRunFile(join(folder, 'run', 'vortex.json'));
  const entry = run?.processes.find((candidate) => candidate.service === service);
  if (entry === undefined) throw new Error(`${service} is not in the run file`);
  return entry;
}

function kill(identity: ProcessIdentity | null, name: NodeJS.Signals): void {
  if (identity === null) throw new Error('the process does not run');
  process.kill(identity.pid, name);
}

async function until(fact: () => boolean): Promise<void> {
  while (!fact()) await delay(20);
}
