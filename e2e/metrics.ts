import {
  isClosed,
  type MetricName,
  type MetricRow,
  meteredServices,
  metricNames,
  metricTable,
} from '@vortex/observability';
import { expect } from 'vitest';
import type { Stack } from './stack.ts';

/** What the processes of a stack show at `/metrics`, held against the table of metrics. */
export interface Sample {
  /** With its suffix: `_bucket`, `_sum`, `_count`. */
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Page {
  service: string;
  samples: Sample[];
  bytes: number;
}

export async function readPages(stack: Stack): Promise<Page[]> {
  const { services } = await stack.status();
  const metered = services.filter(({ name }) => meteredServices.some((one) => one === name));
  return Promise.all(
    metered.map(async ({ name, url }) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return { service: name, samples: samplesOf(text), bytes: Buffer.byteLength(text) };
    }),
  );
}

function samplesOf(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const parts = /^([a-z_:]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (parts === null) return [];
    const [, name = '', labels = '', value] = parts;
    const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)];
    return [
      {
        name,
        labels: Object.fromEntries(pairs.map(([, key, said]) => [key, said])),
        value: Number(value),
      },
    ];
  });
}

const shownAs = (name: MetricName) => (metricTable[name].kind === 'histogram' ? `${name}_count` : name);

/** Every row has a sample on every service that owns it, and no label says what the table does not know. */
export function expectEveryRow(pages: readonly Page[]): void {
  const missing: string[] = [];
  for (const name of metricNames) {
    const row: MetricRow = metricTable[name];
    for (const service of row.services) {
      const owners = pages.filter((page) => page.service === service);
      expect(owners, `a process of ${service}`).not.toEqual([]);
      // One of three generators may have had nothing to do.
      if (!owners.some(({ samples }) => samples.some((one) => one.name === shownAs(name))))
        missing.push(`${name} on ${service}`);
    }
  }
  expect(missing).toEqual([]);
  for (const { service, samples } of pages) for (const sample of samples) expectKnown(service, sample);
}

function expectKnown(service: string, { name, labels }: Sample): void {
  if (!/^(rag|api_gateway)_/.test(name)) return;
  const row = metricNames.find((one) => one === name || one === name.replace(/_(bucket|sum|count)$/, ''));
  expect(row, `${name} of ${service} is in the table`).toBeDefined();
  if (row === undefined) return;
  const known: MetricRow['labels'] = metricTable[row].labels;
  for (const [label, said] of Object.entries(labels)) {
    if (label === 'le' || label === 'service') continue;
    const values = known[label];
    expect(values, `${name}{${label}} is in the table`).toBeDefined();
    if (values !== undefined && isClosed(values)) expect(values, `${name}{${label}}`).toContain(said);
  }
}

/** Rows that have moved: a counter or a histogram above 0, a gauge that is there. */
export function movedRows(pages: readonly Page[]): Set<MetricName> {
  return new Set(
    metricNames.filter((name) =>
      pages.some(({ samples }) =>
        samples.some(
          (one) => one.name === shownAs(name) && (metricTable[name].kind === 'gauge' || one.value > 0),
        ),
      ),
    ),
  );
}
