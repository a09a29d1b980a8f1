import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { askRedis } from '../redis/ask-redis.ts';
import { isAlive } from '../supervisor/process-identity.ts';
import { aboutKettles, upload } from './exercise.ts';
import type { WatchedStack } from './watched-stack.ts';

/** A fault, and the alerts it must raise: these and no others. The table in docs/10-runbook.md says the same. */
export interface Fault {
  name: string;
  /** In Prometheus. */
  alerts: readonly string[];
  /** Of these, what Alertmanager passes on; the others follow from it. */
  passedOn: readonly string[];
  /** Of the stack it is tried on. */
  settings: readonly string[];
  /** Two questions a second are asked meanwhile. */
  asks: boolean;
  begin(stack: WatchedStack): Promise<() => Promise<void>>;
}

const nothing = async () => {};

export const faults: readonly Fault[] = [
  {
    name: 'none',
    alerts: [],
    passedOn: [],
    settings: [],
    asks: true,
    begin: async () => nothing,
  },
  {
    name: 'encoder-killed',
    alerts: ['AvailabilityBudgetFast', 'QueueStuck', 'TargetDown'],
    passedOn: ['AvailabilityBudgetFast', 'QueueStuck', 'TargetDown'],
    settings: [],
    asks: true,
    begin: (stack) => killForGood(stack, 'encoder'),
  },
  {
    name: 'queue-filled',
    alerts: ['QueueGrowing'],
    passedOn: ['QueueGrowing'],
    // Two answers a second: three replicas with two slots each, three seconds an answer.
    settings: ['mock_llm.latency_ms=3000', 'llm.slots=2'],
    asks: false,
    begin: async (stack) => {
      await fill(stack, 500);
      return nothing;
    },
  },
  {
    name: 'redis-stopped',
    alerts: ['AvailabilityBudgetFast', 'RedisDown', 'WorkerHeartbeatLost'],
    passedOn: ['RedisDown'],
    settings: [],
    asks: true,
    begin: (stack) => killForGood(stack, 'redis'),
  },
];

/**
 * Kills a process and keeps its port, so that what the supervisor starts in its place cannot listen and ends: a
 * process that comes back within seconds, as it would, raises nothing.
 */
async function killForGood(stack: WatchedStack, service: string): Promise<() => Promise<void>> {
  const { identity, url, probe } = stack.process(service);
  const port = Number(new URL(probe.kind === 'http' ? probe.url : url).port);
  if (identity === null || !isAlive(identity)) throw new Error(`${service} does not run`);
  process.kill(identity.pid, 'SIGKILL');
  const keeper = await listenOn(port);
  return async () => {
    await new Promise<void>((resolve) => {
      keeper.close(() => resolve());
    });
  };
}

async function listenOn(port: number): Promise<Server> {
  for (let tries = 0; ; tries += 1) {
    const server = createServer((socket) => socket.destroy());
    const failed = await new Promise<Error | null>((resolve) => {
      server.once('error', resolve);
      server.listen(port, '127.0.0.1', () => resolve(null));
    });
    if (failed === null) return server;
    if (tries === 200) throw failed;
    await delay(10);
  }
}

/**
 * Pushed by hand, so that no gateway refuses them; with a deadline that outlives the drill. About something that is
 * found: a question without passages ends before the generators.
 */
async function fill(stack: WatchedStack, count: number): Promise<void> {
  await upload(stack.run().gateway_url, aboutKettles(1));
  const jobs = Array.from({ length: count }, (_, number) =>
    JSON.stringify({
      id: `drill-${number}`,
      query: `How is the kettle number ${number} of round 1 descaled?`,
      cache: 'bypass',
      deadline_at: Date.now() + 1_800_000,
    }),
  );
  await askRedis(stack.run().redis_url, [['RPUSH', 'job:encoder_in', ...jobs]]);
}
