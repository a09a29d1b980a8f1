import { fork } from 'node:child_process';
import { once } from 'node:events';
import { startPrivateRedis } from '@vortex/testkit/private-redis';
import { Redis } from 'ioredis';
import { type ChainGateway, openGateway } from './chain-gateway.ts';
import { type ChainSystem, chainSystems, payloadBytes } from './chain-payload.ts';
import { percentile } from './percentile.ts';

/**
 * `vortex bench chain`: three no-op stages on our lists, on BullMQ and on bare BLPOP + RPUSH. One process
 * runs all three stages, this one plays the gateway; every system has a Redis and a worker of its own, all of
 * them up, and they are asked in turns of half a second. A figure is the quartile on the good side of its
 * turns: whatever else the machine does only ever makes a turn slower (a neighbour's compiler moved single
 * turns by a factor of three), and all three systems get the same choice of quiet ones.
 *
 * Redis CPU is user + system time of the whole server; commands are counted by INFO commandstats, those
 * inside scripts included. Queries carry no replica candidates: BullMQ has nothing to compare a reservation
 * with (it adds a dozen commands in our admit and finish).
 */
export interface ChainFigures {
  p50_ms: number;
  p99_ms: number;
  queries_per_s: number;
  redis_cpu_us_per_query: number;
  redis_commands_per_query: number;
}

export interface ChainReport {
  ok: boolean;
  note: string;
  payload_bytes: number;
  repeats: number;
  /** Quartiles on the good side over the turns, by system and number of queries in flight. */
  systems: Record<ChainSystem, { in_flight_1: ChainFigures; in_flight_64: ChainFigures }>;
  /** Ours to BullMQ's. */
  ratios: { redis_cpu: number; redis_commands: number; throughput_64: number; p50_1: number };
  bounds: { name: string; limit: string; value: number; ok: boolean }[];
}

export interface ChainBenchOptions {
  /** Path of redis-server or valkey-server; searched in PATH when absent. */
  redisBinary?: string;
  /** Three short rounds: for a test that the bench runs, not for figures. */
  quick?: boolean;
  onProgress?: (line: string) => void;
}

interface Repeat {
  in_flight_1: ChainFigures;
  in_flight_64: ChainFigures;
}

export async function runChainBench(options: ChainBenchOptions = {}): Promise<ChainReport> {
  const repeats = options.quick ? 3 : 20;
  const windowSeconds = options.quick ? 0.3 : 0.5;
  const running: RunningSystem[] = [];
  const results: Record<ChainSystem, Repeat[]> = { vortex: [], bullmq: [], bare: [] };
  try {
    for (const system of chainSystems) running.push(await startSystem(system, options.redisBinary));
    // Compiled code, open connections, loaded scripts: what a running system has.
    for (const { system, gateway } of running) await loop(gateway.ask, system, 64, windowSeconds * 4);
    for (let repeat = 0; repeat < repeats; repeat += 1) {
      // Who goes first changes from repeat to repeat.
      for (let place = 0; place < running.length; place += 1) {
        const measured = running[(place + repeat) % running.length];
        if (measured === undefined) continue;
        results[measured.system].push(await measure(measured, windowSeconds));
      }
      const figures = chainSystems.map((system) => {
        const last = results[system].at(-1);
        return `${system} ${last?.in_flight_64.queries_per_s.toFixed(0)}/s and ${last?.in_flight_1.p50_ms.toFixed(2)} ms`;
      });
      options.onProgress?.(`${repeat + 1}/${repeats}: ${figures.join(', ')}`);
    }
  } finally {
    for (const system of running) await system.stop();
  }
  return reportOf(results, repeats);
}

interface RunningSystem {
  system: ChainSystem;
  gateway: ChainGateway;
  probe: Redis;
  stop(): Promise<void>;
}

async function startSystem(system: ChainSystem, serverPath?: string): Promise<RunningSystem> {
  const server = await startPrivateRedis(serverPath === undefined ? {} : { serverPath });
  const script = import.meta.url.endsWith('.ts') ? './chain-worker.ts' : './chain-worker.js';
  const worker = fork(new URL(script, import.meta.url), [system, server.url]);
  const stopProcesses = async () => {
    if (worker.exitCode === null && worker.signalCode === null) {
      const gone = once(worker, 'exit');
      worker.kill('SIGKILL');
      await gone;
    }
    await server.stop();
  };
  try {
    await readyOrDead(worker);
    const gateway = await openGateway(system, server.url);
    const probe = new Redis(server.url);
    return {
      system,
      gateway,
      probe,
      async stop() {
        probe.disconnect();
        await gateway.close();
        await stopProcesses();
      },
    };
  } catch (error) {
    await stopProcesses();
    throw error;
  }
}

async function measure({ system, gateway, probe }: RunningSystem, seconds: number): Promise<Repeat> {
  return {
    in_flight_1: await figuresOf(probe, () => loop(gateway.ask, system, 1, seconds)),
    in_flight_64: await figuresOf(probe, () => loop(gateway.ask, system, 64, seconds)),
  };
}

async function readyOrDead(worker: ReturnType<typeof fork>): Promise<void> {
  const died = once(worker, 'exit').then(([code]) => {
    throw new Error(`the bench worker ended with ${code} before it was ready; its own message is above`);
  });
  died.catch(() => undefined);
  await Promise.race([once(worker, 'message'), died]);
}

let idNumber = 0;

/** Keeps `inFlight` queries going for a while; the latency of each in milliseconds. */
async function loop(
  ask: (id: string) => Promise<void>,
  system: ChainSystem,
  inFlight: number,
  seconds: number,
): Promise<{ latencies: number[]; elapsedMs: number }> {
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < end) {
        const before = performance.now();
        idNumber += 1;
        await ask(`${system}-${idNumber}`);
        latencies.push(performance.now() - before);
      }
    }),
  );
  return { latencies, elapsedMs: performance.now() - start };
}

async function figuresOf(
  probe: Redis,
  run: () => Promise<{ latencies: number[]; elapsedMs: number }>,
): Promise<ChainFigures> {
  const before = await serverCounts(probe);
  const { latencies, elapsedMs } = await run();
  const after = await serverCounts(probe);
  return {
    p50_ms: percentile(latencies, 50),
    p99_ms: percentile(latencies, 99),
    queries_per_s: latencies.length / (elapsedMs / 1000),
    redis_cpu_us_per_query: (after.cpuUs - before.cpuUs) / latencies.length,
    // The two reads in between are the bench's own.
    redis_commands_per_query: (after.commands - before.commands - 2) / latencies.length,
  };
}

async function serverCounts(probe: Redis): Promise<{ cpuUs: number; commands: number }> {
  const cpu = await probe.info('cpu');
  const stats = await probe.info('commandstats');
  const seconds = (name: string) =>
    Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(cpu)?.[1] ?? Number.NaN);
  const calls = [...stats.matchAll(/calls=(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
  return { cpuUs: (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6, commands: calls };
}

function reportOf(results: Record<ChainSystem, Repeat[]>, repeats: number): ChainReport {
  const systems = {
    vortex: quietTurns(results.vortex),
    bullmq: quietTurns(results.bullmq),
    bare: quietTurns(results.bare),
  };
  const ratio = (read: (figures: Repeat) => number) => read(systems.vortex) / read(systems.bullmq);
  const ratios = {
    redis_cpu: ratio((figures) => figures.in_flight_64.redis_cpu_us_per_query),
    redis_commands: ratio((figures) => figures.in_flight_64.redis_commands_per_query),
    throughput_64: ratio((figures) => figures.in_flight_64.queries_per_s),
    p50_1: ratio((figures) => figures.in_flight_1.p50_ms),
  };
  const { in_flight_1, in_flight_64 } = systems.vortex;
  const atMost = (name: string, limit: number, value: number) => ({
    name,
    limit: `<= ${limit}`,
    value,
    ok: value <= limit,
  });
  const bounds = [
    atMost('redis_commands_per_query at 1 in flight', 22, in_flight_1.redis_commands_per_query),
    atMost('redis_commands_per_query at 64 in flight', 22, in_flight_64.redis_commands_per_query),
    atMost('ratios.redis_cpu', 0.35, ratios.redis_cpu),
    {
      name: 'ratios.throughput_64',
      limit: '>= 4',
      value: ratios.throughput_64,
      ok: ratios.throughput_64 >= 4,
    },
    atMost('ratios.p50_1', 0.5, ratios.p50_1),
  ];
  return {
    ok: bounds.every((bound) => bound.ok),
    note: 'Queries without replica candidates: BullMQ has nothing to compare a reservation with. Ratios are ours to BullMQ’s.',
    payload_bytes: payloadBytes,
    repeats,
    systems,
    ratios,
    bounds,
  };
}

function quietTurns(repeats: Repeat[]): Repeat {
  const at = (name: keyof Repeat): ChainFigures => {
    const of = (figure: keyof ChainFigures, percent: number) =>
      percentile(
        repeats.map((repeat) => repeat[name][figure]),
        percent,
      );
    return {
      p50_ms: of('p50_ms', 25),
      p99_ms: of('p99_ms', 25),
      queries_per_s: of('queries_per_s', 75),
      redis_cpu_us_per_query: of('redis_cpu_us_per_query', 25),
      // Counted, not timed: there is no quiet turn to choose.
      redis_commands_per_query: of('redis_commands_per_query', 50),
    };
  };
  return { in_flight_1: at('in_flight_1'), in_flight_64: at('in_flight_64') };
}
