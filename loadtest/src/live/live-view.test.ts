import { PassThrough } from 'node:stream';
import { textOf, widthOf } from '@vortex/terminal';
import { describe, expect, it, test } from 'vitest';
import { exampleConfig, exampleRun } from '../fixtures/example-run.ts';
import type { RunSnapshot } from '../live-view.ts';
import { createLiveView } from './create-live-view.ts';
import { type RunScene, renderRun } from './render-run.ts';

const snapshot: RunSnapshot = {
  elapsedMs: 12_300,
  phase: 'measured',
  progress: 0.41,
  activity: null,
  offeredPerSecond: 40,
  achievedPerSecond: 36.2,
  inFlight: 12,
  sent: 512,
  ok: 489,
  failed: 11,
  window: { p50Ms: 317, p95Ms: 418, p99Ms: null },
  failures: { timeout: 3, shed: 8 },
  stages: [
    { stage: 'admit', kind: 'other', share: 0.004, meanMs: 1.3 },
    { stage: 'queue_retrieve', kind: 'queue', share: 0.46, meanMs: 34 },
    { stage: '段階', kind: 'service', share: 0.2, meanMs: 15 },
    { stage: 'generate', kind: 'service', share: 0.33, meanMs: 270 },
    { stage: 'network + unaccounted', kind: 'other', share: 0.006, meanMs: 1.1 },
  ],
};
const scene: RunScene = {
  config: exampleConfig(),
  snapshot,
  achieved: Array.from({ length: 300 }, (_, index) => index % 41),
  p95Ms: [null, ...Array.from({ length: 200 }, (_, index) => index)],
  notes: ['the first is gone', 'warm-up answers differ', '一つ目の注意', 'a probe at 84/s held'],
};

describe.each([
  [80, 24],
  [200, 50],
])('at %i × %i', (columns, rows) => {
  it('shows offered and achieved, what is in flight, latencies, failures, stages and trends', () => {
    const screen = renderRun(scene, { columns, rows }).map(textOf).join('\n');
    expect(screen).toMatch(/^Load test {2}http:\/\/localhost:8000 {2}poisson, 40\/s +measuring {2}12\.3 s$/m);
    expect(screen).toMatch(/^progress +█+.*·+ 41 %$/m);
    expect(screen).toContain('offered 40.0/s   achieved 36.2/s   in flight 12   sent 512');
    expect(screen).toContain('489 ok   11 failed: shed 8, timeout 3');
    expect(screen).toContain('P50 317 ms   P95 418 ms   P99 –');
    expect(screen).toMatch(/^waits for retrieve +█+.* 46 % +34 ms$/m);
    expect(screen).toMatch(/^achieved\/s +[▁-█]{60,}$/m);
    expect(screen).toMatch(/· a probe at 84\/s held\nCtrl-C ends/);
    expect(screen).not.toContain('the first is gone');
  });
});

it('stays within every terminal', () => {
  for (const columns of [1, 7, 20, 40, 79, 100, 300]) {
    for (const rows of [1, 3, 8, 12, 24, 60]) {
      for (const shown of [scene, { ...scene, snapshot: null }]) {
        const lines = renderRun(shown, { columns, rows }).map(textOf);
        expect(lines.length).toBeLessThanOrEqual(rows);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
      }
    }
  }
});

function terminal() {
  let written = '';
  const out = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });
  out.on('data', (piece: Buffer) => {
    written += piece.toString();
  });
  return { out: out as unknown as NodeJS.WriteStream, written: () => written };
}
const noKeys = new PassThrough() as unknown as NodeJS.ReadStream;

test('the terminal is given back at the end, then what is to stay is printed', () => {
  const { out, written } = terminal();
  const view = createLiveView(out, { TERM: 'xterm' }, noKeys);
  view?.start(exampleConfig());
  view?.update(snapshot);
  view?.note('a probe at 84/s held');
  view?.end(exampleRun().summary);
  const [shown = '', after = ''] = written().split('\x1b[?1049l');
  expect(shown.startsWith('\x1b[?1049h')).toBe(true);
  expect(shown).toContain('measuring');
  expect(after).toBe('a probe at 84/s held\n');
});

test('a run that failed before it began, and an end without one, leave the terminal alone', () => {
  const { out, written } = terminal();
  createLiveView(out, { TERM: 'xterm' }, noKeys)?.end(null);
  expect(written()).toBe('');
});

test('where nobody watches there is no live view', () => {
  expect(createLiveView(terminal().out, { TERM: 'xterm', CI: 'true' }, noKeys)).toBeNull();
  expect(createLiveView(new PassThrough() as unknown as NodeJS.WriteStream, {}, noKeys)).toBeNull();
});
