import { setTimeout as delay } from 'node:timers/promises';
import type { RawSettings } from '../command/flags.ts';
import { readSettings } from '../command/settings.ts';
import type { LiveView } from '../live-view.ts';
import { againstDistribution } from '../measure/kolmogorov-smirnov.ts';
import { arrivals } from '../plan/arrivals.ts';
import { runLoadTest } from '../run-load-test.ts';
import type { Summary } from '../summary-schema.ts';
import { startFixedLatencyServer } from './start-server.ts';
import { loadByWrk } from './wrk.ts';

export interface CheckResult {
  name: string;
  /** Null: could not be done here. */
  holds: boolean | null;
  said: string;
}

const silent: LiveView = { start() {}, update() {}, note() {}, end() {} };

async function measure(raw: RawSettings): Promise<Summary> {
  const settings = readSettings({
    raw: { warmup: '0', slo: 'err<1%', 'trace-share': '0', ...raw },
    environmentOnly: new Set(),
  });
  const { summary } = await runLoadTest(settings, { view: silent, signal: new AbortController().signal });
  return summary;
}

/** Are planned Poisson arrivals what they are called? Needs no time and no server. */
export function checkArrivals(): CheckResult {
  const plan = arrivals({ mode: 'poisson', rate: 100, fromMs: 0, untilMs: 60_000, seed: 1 });
  const times = [...plan].map(({ atMs }) => atMs);
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  const { distance, pValue } = againstDistribution(gaps, (gap) => 1 - Math.exp(-gap / 10));
  return {
    name: 'Poisson arrivals are exponential (Kolmogorov-Smirnov)',
    holds: pValue > 0.01,
    said: `${gaps.length} gaps, distance ${distance.toFixed(4)}, p = ${pValue.toFixed(3)}`,
  };
}

/**
 * The server is frozen for a fifth of the run. An open loop must show it; a closed loop, whose only asker waits like
 * everybody else and asks nothing meanwhile, must hide it. Both at once, each on a server of its own.
 */
export async function checkPause(seconds: number): Promise<CheckResult> {
  const frozenMs = seconds * 200;
  const runs = await Promise.all([
    whileFrozen(seconds, frozenMs, { mode: 'constant', rate: '50' }),
    whileFrozen(seconds, frozenMs, { mode: 'closed', concurrency: '1' }),
  ]);
  const [open, closed] = runs.map(({ latency }) => latency[latency.headline].p99.value_ms ?? 0) as [
    number,
    number,
  ];
  return {
    name: `a freeze of ${frozenMs / 1000} s in ${seconds} s: an open loop shows it, a closed loop hides it`,
    holds: tellsPause({ open, closed, frozenMs }),
    said: `P99 ${open.toFixed(0)} ms open, ${closed.toFixed(0)} ms closed`,
  };
}

/** By the P99s of both. */
export function tellsPause(of: { open: number; closed: number; frozenMs: number }): boolean {
  return of.open > of.frozenMs * 0.8 && of.open < of.frozenMs * 1.5 && of.closed < of.frozenMs * 0.5;
}

async function whileFrozen(seconds: number, frozenMs: number, raw: RawSettings): Promise<Summary> {
  const server = await startFixedLatencyServer(20);
  try {
    const running = measure({ ...raw, url: server.url, duration: `${seconds}s` });
    await delay(seconds * 400);
    server.freeze();
    await delay(frozenMs);
    server.thaw();
    return await running;
  } finally {
    await server.stop();
  }
}

/** The same closed load by wrk, before and after ours, as a machine's speed drifts. */
export async function checkAgainstWrk(seconds: number): Promise<CheckResult> {
  const name = 'agrees with wrk within 10 % on a server of fixed latency';
  const server = await startFixedLatencyServer(20);
  const connections = 20;
  try {
    const before = await loadByWrk({ url: server.url, connections, seconds });
    if (before === null) return { name, holds: null, said: 'wrk is not installed (apt-get install wrk)' };
    const ours = await measure({
      url: server.url,
      concurrency: String(connections),
      warmup: '1s',
      duration: `${seconds}s`,
    });
    const after = (await loadByWrk({ url: server.url, connections, seconds })) ?? before;
    const p50 = ours.latency.service.p50.value_ms ?? 0;
    const rate = ours.totals.throughput_per_second;
    const wrkP50 = (before.p50Ms + after.p50Ms) / 2;
    const wrkRate = (before.perSecond + after.perSecond) / 2;
    return {
      name,
      holds: Math.abs(p50 / wrkP50 - 1) <= 0.1 && Math.abs(rate / wrkRate - 1) <= 0.1,
      said: `P50 ${p50.toFixed(2)} ms, wrk ${wrkP50.toFixed(2)} ms; ${rate.toFixed(0)}/s, wrk ${wrkRate.toFixed(0)}/s; P99 ${ours.latency.service.p99.value_ms?.toFixed(1)} ms, wrk ${((before.p99Ms + after.p99Ms) / 2).toFixed(1)} ms`,
    };
  } finally {
    await server.stop();
  }
}

/** Does it send when it says? Of a thousand requests, a hundred a second. */
export async function checkPunctuality(seconds: number): Promise<CheckResult> {
  const server = await startFixedLatencyServer(20);
  try {
    const run = await measure({ url: server.url, mode: 'poisson', rate: '100', duration: `${seconds}s` });
    const lag = run.latency.send_lag.p99.value_ms ?? 0;
    return {
      name: 'sends 100 Poisson arrivals a second when they are due',
      holds: run.run.invalid.length === 0,
      said: `P99 ${lag.toFixed(1)} ms late, ${((run.totals.achieved_ratio ?? 0) * 100).toFixed(1)} % sent`,
    };
  } finally {
    await server.stop();
  }
}
