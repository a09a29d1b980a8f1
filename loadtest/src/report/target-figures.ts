import type { TargetFigures } from '../figures-schema.ts';
import { count, rate } from './figures.ts';
import { Markup, markup } from './markup.ts';
import { card, figure, type LegendEntry, table } from './page-parts.ts';
import { shownSeries, targetLines } from './plots/target-lines.ts';
import type { RunData } from './run-data.ts';

/** What the target said of itself, under the latencies and on their time axis; nothing where it said nothing. */
export function targetPlots(run: RunData): Markup {
  if (run.summary.target === null) return new Markup('');
  const lines = (name: string, title: string, empty: string, height: number) => (width: number) =>
    targetLines(run, { name, title, empty, width, height });
  return markup`${figure({
    title: 'What waited in the target',
    sub: 'Jobs in each list, by the target’s own metrics, a look a second; time as above.',
    room: 'full',
    draw: lines('rag_queue_depth', 'Jobs that wait, by list', 'No list was ever seen with a job in it.', 190),
    legend: legendOf(run, 'rag_queue_depth'),
  })}
<div class="pair">
${figure({
  title: 'Load of the replicas',
  sub: 'Answers that each generator is making, as the gateway counts them.',
  room: 'half',
  draw: lines(
    'api_gateway_replica_load',
    'Load of each replica',
    'No replica was ever seen with a load.',
    230,
  ),
  legend: legendOf(run, 'api_gateway_replica_load'),
})}
${figure({
  title: 'Processors in use',
  sub: 'Cores, of the processes whose metrics were read.',
  room: 'half',
  draw: lines('cpu_cores', 'Cores in use', 'The target does not say what it uses.', 230),
  legend: legendOf(run, 'cpu_cores'),
})}
</div>`;
}

function legendOf(run: RunData, name: string): LegendEntry[] {
  return shownSeries(run, name).map(({ label }, index) => ({
    label: label ?? name,
    line: `line series-${index + 1}`,
  }));
}

export function targetCards(target: TargetFigures | null): Markup {
  if (target === null) return new Markup('');
  const missed = target.pages.reduce((sum, page) => sum + page.missed, 0);
  const read = target.pages.reduce((sum, page) => sum + page.read, 0);
  const looks = `${count(read)} looks${missed === 0 ? '' : `, ${count(missed)} in vain`}`;
  return markup`
${card(
  'What the target showed',
  `${target.pages.map(({ url }) => url).join(', ')}: ${looks}, warm-up included.`,
  table(
    [
      { title: 'metric', cell: ({ name }) => name, isProse: true },
      { title: 'of', cell: ({ label }) => label ?? '', isProse: true },
      { title: 'mean', cell: ({ mean }) => figureOf(mean), isNumber: true },
      { title: 'most', cell: ({ max }) => figureOf(max), isNumber: true },
    ],
    target.series.filter(({ max }) => max > 0),
  ),
)}
${card(
  'What the target counted',
  target.counters.length === 0 ? 'No counter grew.' : 'By how much its counters grew.',
  target.counters.length === 0
    ? new Markup('')
    : table(
        [
          { title: 'counter', cell: ({ name }) => name, isProse: true },
          { title: 'of', cell: ({ labels }) => Object.values(labels).join(' '), isProse: true },
          { title: 'by', cell: ({ increase }) => figureOf(increase), isNumber: true },
        ],
        target.counters,
      ),
)}`;
}

function figureOf(value: number): string {
  return value < 1 ? value.toFixed(2) : rate(value);
}
