import {
  alignColumns,
  amount,
  bar,
  clipLine,
  duration,
  type Line,
  perSecond,
  type Size,
  type Span,
  type Style,
  span,
  sparkline,
  spread,
} from '@vortex/terminal';
import type { RunSnapshot } from '../live-view.ts';
import { percent } from '../report/figures.ts';
import { stageLabel } from '../report/stage-names.ts';
import type { RunConfig } from '../summary-schema.ts';

/** What the view has seen of a run until now. */
export interface RunScene {
  config: RunConfig;
  snapshot: RunSnapshot | null;
  /** One entry an update, the newest last. */
  achieved: readonly number[];
  p95Ms: readonly (number | null)[];
  notes: readonly string[];
}

type Stage = RunSnapshot['stages'][number];

const labelWidth = 12;
const kindStyles: Record<Stage['kind'], readonly Style[]> = {
  queue: ['yellow'],
  service: ['blue'],
  other: ['dim'],
};

/** One screen of a run that is under way, at most `rows` lines of at most `columns`. Pure. */
export function renderRun({ config, snapshot, achieved, p95Ms, notes }: RunScene, size: Size): Line[] {
  const { columns, rows } = size;
  const footer = span('Ctrl-C ends the run; what was measured until then is reported', 'dim');
  const title: Line = [span('Load test', 'bold'), `  ${config.url}  ${modeOf(config)}`];
  if (snapshot === null)
    return [title, [], ['getting ready …']].slice(0, rows).map((line) => clipLine(line, columns));

  const head = [
    spread(title, [phaseOf(snapshot), `  ${duration(snapshot.elapsedMs)}`], columns),
    progressLine(snapshot, columns),
    loadLine(snapshot),
    outcomeLine(snapshot),
    [
      label('last 10 s'),
      `P50 ${duration(snapshot.window.p50Ms)}   P95 ${duration(snapshot.window.p95Ms)}   P99 ${duration(snapshot.window.p99Ms)}`,
    ],
    trend('achieved/s', achieved, columns, 'cyan'),
    trend('P95', p95Ms, columns, 'magenta'),
  ];
  const kept = notes.slice(-3).map((note): Line => [span('· ', 'dim'), note]);
  const below = [...(kept.length > 0 ? [[], ...kept] : []), [footer]];
  const room = Math.max(0, rows - head.length - below.length - 1);
  const stages = stageLines(snapshot.stages, columns).slice(0, room);
  const lines = [...head, ...(stages.length > 1 ? [[], ...stages] : []), ...below];
  return lines.slice(0, rows).map((line) => clipLine(line, columns));
}

function modeOf({ mode, concurrency, rate, steps }: RunConfig): string {
  if (mode === 'closed') return `closed, ${concurrency} in flight`;
  if (steps !== null && steps.length > 0) return `${mode}, ${steps.join(', ')}/s`;
  return rate === null ? mode : `${mode}, ${rate}/s`;
}

function phaseOf({ phase, activity }: RunSnapshot): Span {
  if (phase === 'warmup') return span('warm-up', 'yellow');
  if (phase === 'draining') return span('waiting for the last answers', 'yellow');
  return span(activity ?? 'measuring', 'green');
}

function progressLine({ progress }: RunSnapshot, columns: number): Line {
  if (progress === null) return [label('progress'), span('until it has found what it looks for', 'dim')];
  const width = Math.max(0, Math.min(60, columns - labelWidth - 6));
  return [label('progress'), span(bar(progress, width), 'cyan'), ` ${Math.floor(100 * progress)} %`];
}

function loadLine({ offeredPerSecond, achievedPerSecond, inFlight, sent }: RunSnapshot): Line {
  // An open run that falls behind what it offers is the first thing to see.
  const isBehind = offeredPerSecond !== null && achievedPerSecond < 0.95 * offeredPerSecond;
  return [
    label('requests'),
    ...(offeredPerSecond === null ? [] : [`offered ${perSecond(offeredPerSecond)}/s   `]),
    'achieved ',
    span(`${perSecond(achievedPerSecond)}/s`, 'bold', ...(isBehind ? (['yellow'] as const) : [])),
    `   in flight ${amount(inFlight)}   sent ${amount(sent)}`,
  ];
}

function outcomeLine({ ok, failed, failures }: RunSnapshot): Line {
  const classes = Object.entries(failures)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name.replaceAll('_', ' ')} ${amount(count)}`);
  return [
    label('answers'),
    span(`${amount(ok)} ok`, 'green'),
    '   ',
    failed === 0 ? span('0 failed', 'dim') : span(`${amount(failed)} failed: ${classes.join(', ')}`, 'red'),
  ];
}

function trend(name: string, values: readonly (number | null)[], columns: number, style: Style): Line {
  return [label(name), span(sparkline(values, Math.max(0, columns - labelWidth)).trimStart(), style)];
}

function stageLines(stages: readonly Stage[], columns: number): Line[] {
  if (stages.length === 0) return [];
  const { heading, lines } = alignColumns<Stage>(
    [
      { title: 'STAGE', cell: ({ stage }) => stageLabel(stage), least: 10 },
      {
        title: 'SHARE OF THE LAST 10 S',
        cell: ({ share, kind }) => span(bar(share, columns >= 120 ? 60 : 30), ...kindStyles[kind]),
        drop: 1,
      },
      { title: '', cell: ({ share }) => percent(share), align: 'right' },
      { title: 'MEAN', cell: ({ meanMs }) => duration(meanMs), align: 'right' },
    ],
    stages,
    columns,
  );
  return [heading, ...lines];
}

function label(text: string): Span {
  return span(text.padEnd(labelWidth), 'dim');
}
