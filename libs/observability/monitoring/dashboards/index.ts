import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { overview } from './1-overview.ts';
import { pipeline } from './2-pipeline.ts';
import { generators } from './3-generators.ts';
import { answers } from './4-answers.ts';
import { ingest } from './5-ingest.ts';
import { infrastructure } from './6-infrastructure.ts';
import { loadTest } from './7-load-test.ts';

/** By the file each is committed as, in deploy/grafana/dashboards. */
export const dashboards: Readonly<Record<string, Dashboard>> = {
  '1-overview.json': overview.build(),
  '2-pipeline.json': pipeline.build(),
  '3-generators.json': generators.build(),
  '4-answers.json': answers.build(),
  '5-ingest.json': ingest.build(),
  '6-infrastructure.json': infrastructure.build(),
  '7-load-test.json': loadTest.build(),
};

export const dashboardFolder = new URL('../../../../deploy/grafana/dashboards/', import.meta.url);

export function textOf(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
