import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  LegendDisplayMode,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** Grafana's names of units. */
export type Unit =
  | 's'
  | 'short'
  | 'percentunit'
  | 'reqps'
  | 'ops'
  | 'bytes'
  | 'Bps'
  | 'dtdurations'
  | 'dateTimeFromNow'
  | 'none';

export interface Query {
  /** `$own` stands for the dashboard's job and instance; a recorded series has neither. */
  expr: string;
  legend?: string;
  exemplars?: boolean;
}

export interface GraphOptions {
  title: string;
  /** What it shows and how to read it: a panel that needs its author is none. */
  description: string;
  unit: Unit;
  queries: Query[];
  /** In 24ths of the page. */
  width?: number;
  stacked?: boolean;
  max?: number;
}

export interface StatOptions {
  title: string;
  description: string;
  unit: Unit;
  expr: string;
  /** Below the first it is good, from there to the second doubtful; descending where more is better. */
  bounds?: { doubtful: number; bad: number };
  decimals?: number;
}

const datasource = { type: 'prometheus', uid: '$datasource' };
const own = 'job=~"$job", instance=~"$instance"';

export interface DashboardOptions {
  uid: string;
  title: string;
  description: string;
  rows: { title: string; panels: Builder<Panel>[] }[];
}

/** Every dashboard has the same variables, links and time. A fixed uid: links to it must survive. */
export function dashboard(options: DashboardOptions): DashboardBuilder {
  const builder = new DashboardBuilder(options.title)
    .uid(options.uid)
    .description(options.description)
    .tags(['vortex'])
    .readonly()
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .link(
      new DashboardLinkBuilder('Vortex')
        .type(DashboardLinkType.Dashboards)
        .tags(['vortex'])
        .asDropdown(true)
        .keepTime(true)
        .includeVars(true),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(labelVariable('job', 'Service', 'label_values(up, job)'))
    .withVariable(labelVariable('instance', 'Instance', 'label_values(up{job=~"$job"}, instance)'));
  // Numbered by their place: a link to one panel needs an id, and without one Grafana makes them up.
  let id = 0;
  const numbered = <Made extends { id?: number }>(made: Builder<Made>): Builder<Made> => {
    id += 1;
    const own = id;
    return { build: () => ({ ...made.build(), id: own }) };
  };
  for (const { title, panels } of options.rows) {
    builder.withRow(numbered(new RowBuilder(title)));
    for (const panel of panels) builder.withPanel(numbered(panel));
  }
  return builder;
}

function labelVariable(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query({ query, refId: name })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.+');
}

export function graph(options: GraphOptions): TimeseriesBuilder {
  const panel = new TimeseriesBuilder()
    .title(options.title)
    .description(options.description)
    .datasource(datasource)
    .unit(options.unit)
    .min(0)
    .height(8)
    .span(options.width ?? 8)
    .lineWidth(1)
    .fillOpacity(options.stacked === true ? 40 : 5)
    .showPoints(VisibilityMode.Never)
    .legend(new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).showLegend(true))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (options.max !== undefined) panel.max(options.max);
  if (options.stacked === true) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  for (const [index, { expr, legend, exemplars }] of options.queries.entries()) {
    const query = target(expr, index).range();
    if (legend !== undefined) query.legendFormat(legend);
    if (exemplars === true) query.exemplar(true);
    panel.withTarget(query);
  }
  return panel;
}

export function stat(options: StatOptions): StatBuilder {
  const panel = new StatBuilder()
    .title(options.title)
    .description(options.description)
    .datasource(datasource)
    .unit(options.unit)
    .height(4)
    .span(4)
    .withTarget(target(options.expr, 0).range());
  if (options.decimals !== undefined) panel.decimals(options.decimals);
  if (options.bounds !== undefined) panel.thresholds(thresholds(options.bounds));
  return panel;
}

function thresholds({ doubtful, bad }: { doubtful: number; bad: number }): ThresholdsConfigBuilder {
  const [first, last] = doubtful < bad ? ['green', 'red'] : ['red', 'green'];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
    { color: first, value: null },
    { color: 'yellow', value: Math.min(doubtful, bad) },
    { color: last, value: Math.max(doubtful, bad) },
  ]);
}

function target(expr: string, index: number): DataqueryBuilder {
  return new DataqueryBuilder()
    .datasource(datasource)
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .expr(expr.replaceAll('$own', own));
}

/** P50, P95, P99 of a histogram over the panel's own window. */
export function quantiles(histogram: string, more: { matchers?: string; exemplars?: boolean } = {}): Query[] {
  const selector = ['$own', ...(more.matchers === undefined ? [] : [more.matchers])].join(', ');
  return [0.5, 0.95, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${histogram}_bucket{${selector}}[$__rate_interval])))`,
    legend: `P${quantile * 100}`,
    exemplars: more.exemplars === true && quantile === 0.99,
  }));
}

/** Mean of a histogram's observations, by a label. */
export function meanBy(label: string, histogram: string): Query {
  const rate = (part: string) => `sum by (${label}) (rate(${histogram}_${part}{$own}[$__rate_interval]))`;
  return { expr: `${rate('sum')} / ${rate('count')}`, legend: `{{${label}}}` };
}

/** Events a second, by a label. */
export function ratesBy(label: string, counter: string, matchers = '$own'): Query {
  return {
    expr: `sum by (${label}) (rate(${counter}{${matchers}}[$__rate_interval]))`,
    legend: `{{${label}}}`,
  };
}
