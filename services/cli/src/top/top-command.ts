import { setTimeout as delay } from 'node:timers/promises';
import { isWatched, openScreen, paint, type Screen, span } from '@vortex/terminal';
import type { InstanceOptions } from '../use-gateway.ts';
import { assembleSnapshot, type Reading } from './assemble-snapshot.ts';
import { createInstanceReader, type InstanceReader } from './read-instance.ts';
import { renderTop } from './render-top.ts';
import type { TopSnapshot } from './top-snapshot.ts';

type Options = InstanceOptions & { interval: number; once: boolean; json: boolean };

const windowMs = 10_000;
const longestHistory = 400;
const leavingKeys = new Set(['q', 'Q', '\x1b']);
const plainSize = { columns: 160, rows: 200 };

/**
 * `vortex top`: the screen of an instance, drawn anew every interval until `q`, Ctrl-C or SIGTERM. What is not
 * watched (a pipe, a file) gets one plain snapshot an interval, and with `--json` one line of JSON.
 * `--once` reads twice, an interval apart, because one reading says nothing about rates.
 */
export async function top(options: Options): Promise<void> {
  const stop = new AbortController();
  const leave = () => stop.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, leave);
  // A reader that has had enough (`| head`) ends the view; it is no failure.
  process.stdout.once('error', leave);

  const reader = createInstanceReader(options);
  const intervalMs = options.interval * 1000;
  try {
    const snapshots = takeSnapshots(reader, intervalMs, stop.signal);
    if (options.once || options.json || !isWatched(process.stdout)) {
      await printEach(snapshots, options, stop.signal);
    } else await drawEach(snapshots, intervalMs, leave);
  } finally {
    await reader.close();
    for (const signal of signals) process.off(signal, leave);
    process.stdout.off('error', leave);
  }
}

async function* takeSnapshots(
  reader: InstanceReader,
  intervalMs: number,
  stop: AbortSignal,
): AsyncGenerator<TopSnapshot> {
  const readings: Reading[] = [];
  let history: TopSnapshot['history'] = { queries_per_second: [], p95_ms: [] };
  while (!stop.aborted) {
    const begun = performance.now();
    const reading = await reader.read();
    if (stop.aborted) return;
    while (readings.length > 1 && reading.atMs - (readings[1]?.atMs ?? 0) >= windowMs) readings.shift();
    const snapshot = assembleSnapshot(reading, readings[0] ?? null, history);
    readings.push(reading);
    history = {
      queries_per_second: snapshot.history.queries_per_second.slice(-longestHistory),
      p95_ms: snapshot.history.p95_ms.slice(-longestHistory),
    };
    yield snapshot;
    await sleep(Math.max(0, intervalMs - (performance.now() - begun)), stop);
  }
}

async function printEach(
  snapshots: AsyncGenerator<TopSnapshot>,
  { once, json }: Options,
  stop: AbortSignal,
): Promise<void> {
  for await (const snapshot of snapshots) {
    if (once && snapshot.window_s === null) continue;
    if (stop.aborted) return;
    const lines = renderTop(snapshot, plainSize).map((line) => paint(line, { colour: false }));
    console.log(json ? JSON.stringify(snapshot) : `${lines.join('\n')}${once ? '' : '\n'}`);
    if (once) return;
  }
}

async function drawEach(
  snapshots: AsyncGenerator<TopSnapshot>,
  intervalMs: number,
  leave: () => void,
): Promise<void> {
  // The first reading comes before the screen: what is wrong with the command is said where it was typed.
  let latest = await snapshots.next();
  if (latest.done) return;
  const screen = openScreen({ onKey: (key) => void (leavingKeys.has(key) && leave()) });
  const draw = () => drawTop(screen, latest.value, intervalMs);
  screen.onResize(draw);
  try {
    while (!latest.done) {
      draw();
      latest = await snapshots.next();
    }
  } finally {
    screen.close();
  }
}

function drawTop(screen: Screen, snapshot: TopSnapshot | undefined, intervalMs: number): void {
  if (snapshot === undefined) return;
  const footer = [span(`q or Ctrl-C leaves   every ${intervalMs / 1000} s   – is unknown`, 'dim')];
  screen.draw(renderTop(snapshot, screen.size(), footer));
}

/** Until then, or until it is to stop; neither is an error. */
async function sleep(ms: number, stop: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: stop }).catch(() => undefined);
}
