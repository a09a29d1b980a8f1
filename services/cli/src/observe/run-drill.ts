import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './faults.ts';
import { createPrometheusApi, type FiringAlert, passedOn } from './prometheus-api.ts';
import { startWatchedStack, type WatchedStack } from './watched-stack.ts';

export interface DrillResult {
  fault: string;
  ok: boolean;
  expected: string[];
  /** Every alert that fired at any time, with the labels that tell them apart, and how many seconds after the fault. */
  fired: { name: string; about: string; after_s: number }[];
  /** What Alertmanager passed on at the end. */
  passed_on: string[];
}

export interface DrillOptions {
  port: number;
  speed: number;
  /** How long alerts may take; the fault stays that long, and longer where some are missing. */
  watchMs: number;
  /** How much longer it stays when all have fired: others must not follow. */
  afterMs: number;
}

const askEveryMs = 500;
const calmMs = 15_000;

/** Breaks one thing in a watched stack of its own, and notes what fires. */
export async function runDrill(fault: Fault, options: DrillOptions): Promise<DrillResult> {
  const settings = ['mock_llm.latency_ms=50', ...fault.settings];
  const stack = await startWatchedStack({ port: options.port, speed: options.speed, settings });
  const traffic = fault.asks ? askInTurn(stack.run().gateway_url) : null;
  try {
    // Healthy first: what fires then is no work of the fault's.
    const fired = new Map<string, DrillResult['fired'][number]>();
    await watch(stack, fired, { since: performance.now(), untilAll: null, atMostMs: calmMs });
    const since = performance.now();
    const undo = await fault.begin(stack);
    try {
      await watch(stack, fired, { since, untilAll: fault.alerts, atMostMs: options.watchMs });
      await watch(stack, fired, { since, untilAll: null, atMostMs: options.afterMs });
      return judge(fault, [...fired.values()], await passedOn(stack.process('alertmanager').url));
    } finally {
      await undo();
    }
  } finally {
    traffic?.stop();
    await stack.stop();
  }
}

function judge(fault: Fault, fired: DrillResult['fired'], passed: readonly FiringAlert[]): DrillResult {
  const names = sortedNames(fired);
  const passedNames = sortedNames(passed);
  return {
    fault: fault.name,
    ok: isSame(names, fault.alerts) && isSame(passedNames, fault.passedOn),
    expected: [...fault.alerts],
    fired,
    passed_on: passedNames,
  };
}

function sortedNames(alerts: readonly { name: string }[]): string[] {
  return [...new Set(alerts.map(({ name }) => name))].sort();
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify(one) === JSON.stringify([...other].sort());
}

async function watch(
  stack: WatchedStack,
  fired: Map<string, DrillResult['fired'][number]>,
  options: { since: number; untilAll: readonly string[] | null; atMostMs: number },
): Promise<void> {
  const api = createPrometheusApi(stack.process('prometheus').url);
  const until = performance.now() + options.atMostMs;
  while (performance.now() < until) {
    for (const { name, labels } of await api.firing()) {
      const about = labels.queue ?? labels.replica ?? labels.job ?? '';
      const key = `${name} ${about}`;
      const after = Math.round((performance.now() - options.since) / 1000);
      if (!fired.has(key)) fired.set(key, { name, about, after_s: after });
    }
    const names = new Set([...fired.values()].map(({ name }) => name));
    if (options.untilAll?.every((name) => names.has(name)) && options.untilAll.length > 0) return;
    await delay(500);
  }
}

/** A question every half second, whatever becomes of those before it; five seconds is all it may take. */
function askInTurn(url: string): { stop(): void } {
  let number = 0;
  const timer = setInterval(() => {
    number += 1;
    const body = JSON.stringify({
      query: `What is question ${number} about?`,
      cache: 'bypass',
      deadline_ms: 5000,
    });
    const headers = { 'content-type': 'application/json' };
    fetch(`${url}/query`, { method: 'POST', headers, body }).then(
      (reply) => reply.text(),
      () => undefined,
    );
  }, askEveryMs);
  return { stop: () => clearInterval(timer) };
}
