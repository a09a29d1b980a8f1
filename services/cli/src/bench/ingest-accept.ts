import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPrivateRedis } from '@vortex/testkit/private-redis';
import { Redis } from 'ioredis';
import type { LoadOrder, LoadResult } from './ingest-accept-load.ts';
import { type RunningServer, startBare, startLoad, startVortex } from './ingest-accept-processes.ts';
import { percentile } from './percentile.ts';

/**
 * `vortex bench ingest-accept`: how many documents a second `POST /ingest` accepts. Our real gateway, with its
 * real configuration and its log in a file, beside a bare Hono that parses the body and pushes it
 * (ingest-accept-bare.ts): one Redis, one load generator, alternating turns of a second. The bound is judged by the
 * median of the ratios of turns that followed each other: neighbours weigh on both of a pair, and a few lucky turns
 * decide nothing. The figures of each system are the quartile on the good side of its turns, as in chain.ts, with their
 * ratio beside the judged one. The queue is emptied between turns; an answer that is no 202 ends the bench. CPU is
 * user + system time of the server's process. What it starts is in ingest-accept-processes.ts.
 */
export interface AcceptFigures {
  accepts_per_s: number;
  p50_ms: number;
  p99_ms: number;
  /** Of the server's process and of Redis; null where the server did not say. */
  cpu_us_per_accept: number | null;
  redis_cpu_us_per_accept: number;
}

export interface IngestAcceptReport {
  ok: boolean;
  note: string;
  generator: 'wrk' | 'own';
  connections: number;
  rounds: number;
  /** Quartiles on the good side over the turns, by size of the content. */
  systems: Record<AcceptSystem, Record<BodySize, AcceptFigures>>;
  /** Of those, accepts per second, ours to bare. */
  ratios: Record<BodySize, number>;
  /** The same in turns that followed each other, median: what `bounds` judge. */
  paired_medians: Record<BodySize, number>;
  bounds: { name: string; limit: string; value: number; ok: boolean }[];
}

type AcceptSystem = 'vortex' | 'bare';
type BodySize = 'content_1_kb' | 'content_8_kb';
const systems: readonly AcceptSystem[] = ['vortex', 'bare'];
const contentBytes: Record<BodySize, number> = { content_1_kb: 1000, content_8_kb: 8000 };
const sizes = Object.keys(contentBytes) as BodySize[];
const connections = 64;
const ratioAtLeast = 0.7;

export async function runIngestAcceptBench(options: {
  redisBinary?: string;
  /** Two short rounds: for a test that the bench runs, not for figures. */
  quick?: boolean;
  onProgress?: (line: string) => void;
}): Promise<IngestAcceptReport> {
  const rounds = options.quick ? 2 : 20;
  const seconds = options.quick ? 0.5 : 1;
  const folder = await mkdtemp(join(tmpdir(), 'vortex-accept-'));
  const releases: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
  const turns: Record<AcceptSystem, Record<BodySize, AcceptFigures[]>> = {
    vortex: { content_1_kb: [], content_8_kb: [] },
    bare: { content_1_kb: [], content_8_kb: [] },
  };
  try {
    const redis = await startPrivateRedis(
      options.redisBinary === undefined ? {} : { serverPath: options.redisBinary },
    );
    releases.push(() => redis.stop());
    const probe = new Redis(redis.url);
    releases.push(() => probe.disconnect());
    const servers: Record<AcceptSystem, RunningServer> = {
      vortex: await startVortex(redis.url, folder, releases),
      bare: await startBare(redis.url, releases),
    };
    const load = await startLoad(folder, releases);
    const turn = async (system: AcceptSystem, size: BodySize, forSeconds: number) => {
      await probe.flushdb();
      return measure(servers[system], probe, load.drive, size, forSeconds);
    };
    // Compiled code, open connections, loaded scripts.
    for (const system of systems) for (const size of sizes) await turn(system, size, seconds);
    for (let round = 0; round < rounds; round += 1) {
      for (const size of sizes) {
        // Who goes first changes from round to round.
        for (const system of round % 2 === 0 ? systems : systems.toReversed()) {
          turns[system][size].push(await turn(system, size, seconds));
        }
      }
      const rates = systems.map((system) => {
        const ofSize = sizes.map((size) => turns[system][size].at(-1)?.accepts_per_s.toFixed(0));
        return `${system} ${ofSize.join(' and ')}/s`;
      });
      options.onProgress?.(`${round + 1}/${rounds}: ${rates.join(', ')}`);
    }
    return reportOf(turns, rounds, load.generator);
  } finally {
    for (const release of releases.reverse()) await release();
  }
}

async function measure(
  { port, key }: RunningServer,
  probe: Redis,
  drive: (order: LoadOrder) => Promise<LoadResult>,
  size: BodySize,
  seconds: number,
): Promise<AcceptFigures> {
  const before = { server: await serverCpuUs(port, key), redis: await redisCpuUs(probe) };
  const result = await drive({ port, key, connections, seconds, bodies: bodiesOf(contentBytes[size]) });
  const after = { server: await serverCpuUs(port, key), redis: await redisCpuUs(probe) };
  const { accepted, others, elapsedMs } = result;
  if (Object.keys(others).length > 0 || accepted === 0) {
    throw new Error(`not every document was accepted: ${accepted} were, others: ${JSON.stringify(others)}`);
  }
  return {
    accepts_per_s: accepted / (elapsedMs / 1000),
    p50_ms: result.p50Ms,
    p99_ms: result.p99Ms,
    cpu_us_per_accept:
      before.server === null || after.server === null ? null : (after.server - before.server) / accepted,
    redis_cpu_us_per_accept: (after.redis - before.redis) / accepted,
  };
}

/** Prose with what prose has: line breaks, quotes and some letters beyond ASCII, which JSON and UTF-8 must work for. */
function bodiesOf(bytes: number): string[] {
  const sentence =
    'The “warranty” lasts two years from delivery; whoever calls on it keeps the receipt, as § 4 says.\n' +
    'Geräte mit Akku werden \\"wie gesehen\\" zurückgenommen, if they arrive within fourteen days.\n';
  const text = sentence.repeat(Math.ceil(bytes / sentence.length));
  return Array.from({ length: 97 }, (_, number) =>
    JSON.stringify({
      user_id: 'bench',
      document_id: `handbook-${bytes}-${number}`,
      content: `${number}. ${text}`.slice(0, bytes),
      collection: 'handbook',
    }),
  );
}

// ── figures ─────────────────────────────────────────────────────────────────────────────────────

async function serverCpuUs(port: number, key: string | undefined): Promise<number | null> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers })).text();
  const seconds = /^process_cpu_seconds_total(?:\{.*\})? ([\d.e+-]+)$/m.exec(text)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1e6;
}

async function redisCpuUs(probe: Redis): Promise<number> {
  const info = await probe.info('cpu');
  const seconds = (name: string) =>
    Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? Number.NaN);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
}

function reportOf(
  turns: Record<AcceptSystem, Record<BodySize, AcceptFigures[]>>,
  rounds: number,
  generator: 'wrk' | 'own',
): IngestAcceptReport {
  const quiet = {
    vortex: bySize((size) => quietTurns(turns.vortex[size])),
    bare: bySize((size) => quietTurns(turns.bare[size])),
  };
  const ratios = bySize((size) => quiet.vortex[size].accepts_per_s / quiet.bare[size].accepts_per_s);
  const paired = bySize((size) =>
    percentile(
      turns.vortex[size].map(
        ({ accepts_per_s }, turn) => accepts_per_s / (turns.bare[size][turn]?.accepts_per_s ?? Number.NaN),
      ),
      50,
    ),
  );
  const bounds = sizes.map((size) => ({
    name: `paired_medians.${size}`,
    limit: `>= ${ratioAtLeast}`,
    value: paired[size],
    ok: paired[size] >= ratioAtLeast,
  }));
  return {
    ok: bounds.every(({ ok }) => ok),
    note: 'Bare parses and pushes; ours also validates, admits once under a cap, and writes the live view. Servers, Redis and generator share this machine.',
    generator,
    connections,
    rounds,
    systems: quiet,
    ratios,
    paired_medians: paired,
    bounds,
  };
}

function bySize<Value>(make: (size: BodySize) => Value): Record<BodySize, Value> {
  return { content_1_kb: make('content_1_kb'), content_8_kb: make('content_8_kb') };
}

function quietTurns(figures: readonly AcceptFigures[]): AcceptFigures {
  const of = (read: (one: AcceptFigures) => number | null, percent: number) =>
    percentile(
      figures.map(read).filter((value) => value !== null),
      percent,
    );
  const cpu = of((one) => one.cpu_us_per_accept, 25);
  return {
    accepts_per_s: of((one) => one.accepts_per_s, 75),
    p50_ms: of((one) => one.p50_ms, 25),
    p99_ms: of((one) => one.p99_ms, 25),
    cpu_us_per_accept: Number.isNaN(cpu) ? null : cpu,
    redis_cpu_us_per_accept: of((one) => one.redis_cpu_us_per_accept, 25),
  };
}
