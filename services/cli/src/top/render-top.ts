import {
  alignColumns,
  amount,
  bar,
  type Column,
  clipLine,
  duration,
  type Line,
  perSecond,
  type Size,
  type Style,
  span,
  sparkline,
  spread,
} from '@vortex/terminal';
import { breakerText } from '../replicas-command.ts';
import type { TopQueue, TopReplica, TopService, TopSnapshot, TopStage } from './top-snapshot.ts';

// One piece: the screen from top to bottom.

/** How old a waiting job may be before it is shown in yellow, and in red (the alert QueueStuck's limit). */
const lateMs = { yellow: 5000, red: 30_000 };

/**
 * One screen of `vortex top`, at most `rows` lines of at most `columns`. From above: how the instance is, the
 * questions, the stages, the replicas, the processes. Where room is short, the lists below a stage go first,
 * then the table of processes becomes a line, then tables end in "… and n more". Pure.
 */
export function renderTop(snapshot: TopSnapshot, size: Size, footer: Line | null = null): Line[] {
  const { columns } = size;
  const rows = size.rows - (footer === null ? 0 : 1);
  const head = [titleLine(snapshot, columns), ...queryLines(snapshot, columns)];
  const replicas = table(replicaColumns(columns), snapshot.replicas, columns);
  const brief = [serviceLine(snapshot.services)];
  const full = table(serviceColumns, snapshot.services, columns);
  const stages = (withQueues: boolean) =>
    table(
      stageColumns,
      snapshot.stages.flatMap((stage) => stageRows(stage, withQueues)),
      columns,
    );

  const choices = [
    [head, stages(true), replicas, full],
    [head, stages(false), replicas, full],
    [head, stages(false), replicas, brief],
  ];
  const layout =
    choices.find((sections) => heightOf(sections) <= rows) ??
    shortened([head, stages(false), replicas, brief], rows);
  const lines = layout.flatMap((section, index) =>
    index === 0 || section.length === 0 ? section : [[], ...section],
  );
  const shown = lines.slice(0, rows).map((line) => clipLine(line, columns));
  if (footer === null) return shown;
  const filler: Line[] = Array.from({ length: Math.max(0, rows - shown.length) }, () => []);
  return [...shown, ...filler, clipLine(footer, columns)].slice(-size.rows);
}

function heightOf(sections: readonly Line[][]): number {
  return sections.reduce((sum, section) => sum + (section.length === 0 ? 0 : section.length + 1), -1);
}

/** The longest section gives a line, again and again, until all fit; no table falls below its heading and one row. */
function shortened(sections: readonly Line[][], rows: number): Line[][] {
  const kept = sections.map((section) => section.length);
  const height = () => kept.reduce((sum, length) => sum + (length === 0 ? 0 : length + 1), -1);
  while (height() > rows) {
    const longest = kept.reduce(
      (best, length, index) => (index > 0 && length > (kept[best] ?? 0) ? index : best),
      1,
    );
    if ((kept[longest] ?? 0) <= 3) break;
    kept[longest] = (kept[longest] ?? 0) - 1;
  }
  return sections.map((section, index) => {
    const length = kept[index] ?? section.length;
    if (length === section.length) return section;
    const left = section.length - length + 1;
    return [...section.slice(0, length - 1), [span(`… and ${left} more`, 'dim')]];
  });
}

function titleLine(snapshot: TopSnapshot, columns: number): Line {
  const { ready, phase, gateway_url, llm, uptime_s, at } = snapshot;
  const state = ready
    ? span('ready', 'green')
    : span(phase === null || phase === 'ready' ? 'not ready' : `not ready (${phase})`, 'red', 'bold');
  const left: Line = [
    span('Vortex', 'bold'),
    '  ',
    state,
    ...(gateway_url === null ? [] : ['  ', gateway_url]),
    ...(llm === null ? [] : ['  ', llm]),
    ...(uptime_s === null ? [] : [`  up ${duration(uptime_s * 1000).replace(/\.\d+ s$/, ' s')}`]),
  ];
  return spread(left, [span(`${at.slice(11, 19)} UTC`, 'dim')], columns);
}

function queryLines(
  { queries, history, dead_letters, open_jobs, window_s }: TopSnapshot,
  columns: number,
): Line[] {
  const outcomes = Object.entries(queries.outcomes_per_second)
    .filter(([, rate]) => rate > 0)
    .sort(([, a], [, b]) => b - a)
    .flatMap(([outcome, rate]): (string | ReturnType<typeof span>)[] => [
      '  ',
      span(`${outcome} ${perSecond(rate)}`, ...outcomeStyle(outcome)),
    ]);
  const cache = queries.answer_cache_hit_ratio;
  const dead = dead_letters === null ? '–' : String(dead_letters);
  const trend = Math.max(0, columns - labelWidth);
  return [
    [
      label('questions'),
      `${perSecond(queries.per_second)}/s`,
      '   in flight ',
      span(amount(queries.in_flight), 'bold'),
      ...(outcomes.length > 0 ? [' ', ...outcomes] : []),
    ],
    [
      label(window_s === null ? 'latency' : `last ${Math.max(1, Math.round(window_s))} s`),
      `mean ${duration(queries.mean_ms)}   P50 ≈ ${duration(queries.p50_ms)}   P95 ≈ ${duration(queries.p95_ms)}   P99 ≈ ${duration(queries.p99_ms)}`,
    ],
    [label('questions/s'), span(sparkline(history.queries_per_second, trend).trimStart(), 'cyan')],
    [
      label('open'),
      `jobs ${amount(open_jobs)}   dead letters `,
      dead_letters === null || dead_letters === 0 ? dead : span(dead, 'red', 'bold'),
      ...(cache === null ? [] : [`   cache hits ${Math.round(100 * cache)} %`]),
    ],
  ];
}

const labelWidth = 13;

function label(text: string) {
  return span(text.padEnd(labelWidth), 'dim');
}

function outcomeStyle(outcome: string): Style[] {
  if (outcome === 'ok') return ['green'];
  return outcome === 'error' || outcome === 'timeout' ? ['red'] : ['yellow'];
}

/** A stage, or one of several lists that it takes from (whose rates nobody counts apart). */
type StageRow = Omit<TopStage, 'stage' | 'queues' | 'lane'> & {
  name: string;
  list: string;
  isStage: boolean;
};

function stageRows(stage: TopStage, withQueues: boolean): StageRow[] {
  const first = stage.queues[0]?.name ?? '';
  const several = stage.queues.length > 1;
  const row = {
    ...stage,
    name: stage.stage,
    list: several ? `${first} and ${stage.queues.length - 1} more` : first,
    isStage: true,
  };
  return withQueues && several ? [row, ...stage.queues.map(queueRow)] : [row];
}

function queueRow(queue: TopQueue): StageRow {
  return {
    ...queue,
    name: ' └',
    list: queue.name,
    isStage: false,
    claimed_per_second: null,
    done_per_second: null,
    failed_per_second: null,
    waited_ms: null,
    service_ms: null,
  };
}

const count = (value: number | null, ...loud: Style[]) =>
  span(amount(value), ...(value === null || value === 0 ? (['dim'] as const) : loud));
const rate = (value: number | null, ...loud: Style[]) =>
  span(perSecond(value), ...(value === null || value === 0 ? (['dim'] as const) : loud));
const time = (ms: number | null) => span(duration(ms), ...(ms === null ? (['dim'] as const) : []));

function age(ms: number | null) {
  if (ms === null) return span('–', 'dim');
  return span(
    duration(ms),
    ...(ms >= lateMs.red ? (['red'] as const) : ms >= lateMs.yellow ? (['yellow'] as const) : []),
  );
}

const stageColumns: Column<StageRow>[] = [
  {
    title: 'STAGE',
    cell: ({ name, isStage }) => span(name, ...(isStage ? (['bold'] as const) : (['dim'] as const))),
  },
  { title: 'LIST', cell: ({ list }) => span(list, 'dim'), drop: 9 },
  { title: 'WAITING', cell: ({ waiting }) => count(waiting, 'bold'), align: 'right' },
  { title: 'OLDEST', cell: ({ oldest_age_ms }) => age(oldest_age_ms), align: 'right' },
  { title: 'IN FLIGHT', cell: ({ in_flight }) => count(in_flight, 'bold'), align: 'right' },
  { title: 'RETRY', cell: ({ retry }) => count(retry, 'yellow'), align: 'right', drop: 2 },
  { title: 'DEAD', cell: ({ dead }) => count(dead, 'red', 'bold'), align: 'right' },
  { title: 'IN/S', cell: ({ claimed_per_second }) => rate(claimed_per_second), align: 'right', drop: 8 },
  { title: 'OUT/S', cell: ({ done_per_second }) => rate(done_per_second), align: 'right' },
  {
    title: 'FAILED/S',
    cell: ({ failed_per_second }) => rate(failed_per_second, 'red'),
    align: 'right',
    drop: 7,
  },
  { title: 'WAITED', cell: ({ waited_ms }) => time(waited_ms), align: 'right', drop: 1 },
  { title: 'TAKES', cell: ({ service_ms }) => time(service_ms), align: 'right', drop: 1 },
];

const breakerStyles: Record<string, readonly Style[]> = { open: ['red', 'bold'], half_open: ['yellow'] };

function replicaColumns(columns: number): Column<TopReplica>[] {
  const barWidth = columns >= 120 ? 20 : 8;
  return [
    { title: 'REPLICA', cell: ({ name, url }) => name ?? url ?? '–', least: 16 },
    { title: 'URL', cell: ({ url }) => span(url ?? '–', 'dim'), drop: 9, least: 12 },
    {
      title: 'LOAD',
      cell: ({ load, slots }) =>
        load === null || slots === null
          ? span('–', 'dim')
          : span(
              `${bar(load / slots, barWidth)} ${load}/${slots}`,
              ...(load >= slots && slots > 0 ? (['yellow'] as const) : []),
            ),
    },
    {
      title: 'STATE',
      cell: ({ state }) =>
        span(
          state ?? '–',
          ...(state === 'up'
            ? (['green'] as const)
            : state === 'draining'
              ? (['yellow'] as const)
              : (['red'] as const)),
        ),
    },
    {
      title: 'BREAKER',
      cell: ({ breaker }) =>
        breaker === null
          ? span('–', 'dim')
          : span(breakerText(breaker), ...(breakerStyles[breaker.state] ?? [])),
    },
    {
      title: 'ANSWERS/S',
      cell: ({ answers_per_second }) => rate(answers_per_second),
      align: 'right',
      drop: 1,
    },
    {
      title: 'FAILED',
      cell: ({ breaker }) =>
        breaker === null ? span('–', 'dim') : `${Math.round(100 * breaker.failure_ratio)} %`,
      align: 'right',
      drop: 2,
    },
    {
      title: 'TRIPS',
      cell: ({ breaker }) => count(breaker?.trips ?? null, 'yellow'),
      align: 'right',
      drop: 8,
    },
    {
      title: '1ST TOKEN',
      cell: ({ breaker }) => time(breaker?.first_token_ms ?? null),
      align: 'right',
      drop: 3,
    },
  ];
}

function megabytes(bytes: number | null): string {
  return bytes === null ? '–' : `${Math.round(bytes / 1e6)} MB`;
}

/** All in one line; who is not ready stands in front, and says why. */
function serviceLine(services: readonly TopService[]): Line {
  const isAway = ({ ready }: TopService) => ready !== true;
  const away = services.filter(isAway);
  const total = services.reduce<number | null>(
    (sum, { rss_bytes }) => (rss_bytes === null ? sum : (sum ?? 0) + rss_bytes),
    null,
  );
  const cpu = services.reduce<number | null>(
    (sum, { cpu_ratio }) => (cpu_ratio === null ? sum : (sum ?? 0) + cpu_ratio),
    null,
  );
  const restarts = services.reduce((sum, service) => sum + (service.restarts ?? 0), 0);
  return [
    label('processes'),
    ...away.flatMap((service) => [
      span(
        `${nameOf(service)} not ready${service.reasons[0] === undefined ? '' : ` (${service.reasons[0]})`}`,
        'red',
      ),
      '  ',
    ]),
    `${services.length - away.length} of ${services.length} ready`,
    ...(total === null ? [] : [`   ${megabytes(total)}`]),
    ...(cpu === null ? [] : [`   CPU ${cpu.toFixed(2)} cores`]),
    ...(restarts === 0 ? [] : ['   ', span(`${restarts} restart${restarts === 1 ? '' : 's'}`, 'yellow')]),
  ];
}

function nameOf({ name, worker_name }: TopService): string {
  return worker_name !== null && worker_name !== name ? worker_name : name;
}

const serviceColumns: Column<TopService>[] = [
  { title: 'PROCESS', cell: nameOf, least: 10 },
  { title: 'PID', cell: ({ pid }) => span(pid === null ? '–' : String(pid), 'dim'), align: 'right', drop: 4 },
  {
    title: 'READY',
    cell: ({ ready }) => (ready === true ? span('yes', 'green') : span('no', 'red', 'bold')),
  },
  { title: 'RESTARTS', cell: ({ restarts }) => count(restarts, 'yellow'), align: 'right' },
  {
    title: 'CPU',
    cell: ({ cpu_ratio }) => (cpu_ratio === null ? span('–', 'dim') : `${Math.round(100 * cpu_ratio)} %`),
    align: 'right',
  },
  { title: 'MEMORY', cell: ({ rss_bytes }) => megabytes(rss_bytes), align: 'right' },
  { title: 'WHY NOT', cell: ({ reasons }) => span(reasons.join(', '), 'red'), least: 8, drop: 1 },
];

function table<Row>(columns: Column<Row>[], rows: readonly Row[], width: number): Line[] {
  if (rows.length === 0) return [];
  const { heading, lines } = alignColumns(columns, rows, width);
  return [heading, ...lines];
}
