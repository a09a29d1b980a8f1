import { type LabelValues, type MetricRow, meteredServices } from './metric-rows/row.ts';
import { isClosed, metricTable } from './metric-table.ts';

/** `docs/09-metrics.md`, made of the table itself; a test compares it with the file. */
export function metricsPage(): string {
  return `${[introduction, metricsList(), ending].join('\n\n')}\n`;
}

const introduction = `# Metrics

Each process shows its own at \`/metrics\`: the gateway on its port (with several gateways, and in containers, each on its probe port), a worker
on the port \`./vortex status\` names. Who asks with \`Accept: application/openmetrics-text\`, as Prometheus does, gets
OpenMetrics with exemplars: beside a bucket stands the trace id of its last observation, which is also in the query's
\`traceparent\`, its log lines and its trace. Every series has the label \`service\`; \`process_*\` and \`nodejs_*\` (event
loop lag, garbage collection, memory) come with each.

How to read them:

- A counter stands at 0 from the first scrape on with every combination of its labels that can be counted (those of lists:
  in the services that serve them; those of replicas: once the replica is seen), so that its first event is an increase. A gauge
  that is absent is not known (yet), and not 0.
- A label never names a tenant, a query, a document or a raw path: those are in logs and traces.
- A bucket has an edge at each threshold that an alert or an objective uses.
- What several processes know alike, each shows (\`rag_cache_entries\`, a gateway's view of queues and replicas): take the
  \`max\`, not the \`sum\`.
- \`rag_queue_wait_seconds\` and \`rag_stage_duration_seconds\` add up to a query's time, as its \`timings_ms\` do.
- What is 0 or absent in an idle stack may be there after the first query, document, webhook or failure.`;

const ending = `## Where this page comes from

\`libs/observability/src/metric-rows/\` holds the table; this page, the recording rules, the alerts and the dashboards are
made of it, and a test asserts that a running stack shows every row. To add a metric: a row there, its write where the
thing happens (an unknown label does not compile), then \`npx vitest run --project pure
libs/observability/src/metrics-page.test.ts -u\`.`;

function metricsList(): string {
  const groups = [
    ['The gateway', rowsWhere((name) => name.startsWith('api_gateway_'))],
    [
      'Queues, workers and replicas',
      rowsWhere((name) => /^rag_(stage|queue|dead|worker|replica|breaker)_/.test(name)),
    ],
    [
      'Answers',
      rowsWhere((name) =>
        /^rag_(embedding|retrieval|context|generation|llm|answer|answers|cache)_/.test(name),
      ),
    ],
    ['Documents', rowsWhere((name) => /^rag_(ingest|index|webhook)_/.test(name))],
    ['The ground', rowsWhere((name) => /^rag_(redis|build)_/.test(name))],
  ] as const;
  const shown = new Set(groups.flatMap(([, rows]) => rows.map(([name]) => name)));
  const missing = Object.keys(metricTable).filter((name) => !shown.has(name));
  if (missing.length > 0) throw new Error(`no group of the page shows ${missing.join(', ')}`);
  return groups
    .map(([title, rows]) => [`## ${title}`, '', ...rows.flatMap(entry)].join('\n'))
    .join('\n')
    .trimEnd();
}

function rowsWhere(fits: (name: string) => boolean): [string, MetricRow][] {
  return Object.entries(metricTable).filter(([name]) => fits(name));
}

function entry([name, row]: [string, MetricRow]): string[] {
  const { kind, services, labels, buckets, exemplars, help } = row;
  const facts = [
    `${kind}${exemplars ? ' with exemplars' : ''}; shown by ${whoShows(services)}`,
    ...Object.entries(labels).map(([label, values]) => `${code(label)}: ${valuesText(values)}`),
    ...(buckets === undefined ? [] : [`buckets: ${buckets.join(' ')}`]),
  ];
  return [`**${code(name)}** ${help}`, '', ...facts.map((fact) => `- ${fact}`), ''];
}

function whoShows(services: MetricRow['services']): string {
  return services.length === meteredServices.length ? 'every service' : services.join(', ');
}

function valuesText(values: LabelValues): string {
  return isClosed(values) ? values.map(code).join(' ') : values.boundedBy;
}

function code(text: string): string {
  return `\`${text}\``;
}
