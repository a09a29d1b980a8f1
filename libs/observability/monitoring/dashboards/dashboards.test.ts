import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkQuery } from '../check-query.ts';
import { knownSeries } from '../known-series.ts';
import { dashboardFolder, dashboards, textOf } from './index.ts';

interface PanelJson {
  type: string;
  title: string;
  description?: string;
  fieldConfig?: { defaults: { unit?: string } };
  datasource?: { uid: string };
  targets?: { expr: string; datasource?: { uid: string } }[];
}

const known = knownSeries();
const committed = readdirSync(dashboardFolder).filter((file) => file.endsWith('.json'));

describe('the committed dashboards', () => {
  it('are those of the source', () => {
    expect(committed.sort()).toEqual(Object.keys(dashboards).sort());
  });

  it('have addresses that last', () => {
    const uids = Object.values(dashboards).map(({ uid }) => uid);
    expect(new Set(uids).size).toBe(committed.length);
    for (const uid of uids) expect(uid).toMatch(/^vortex-[a-z-]+$/);
  });

  it.each(Object.entries(dashboards))(
    '%s has not drifted (npm run dashboards writes it anew)',
    (file, dashboard) => {
      expect(readFileSync(new URL(file, dashboardFolder), 'utf8')).toBe(textOf(dashboard));
    },
  );
});

describe.each(Object.entries(dashboards))('%s', (_file, dashboard) => {
  const panels = (JSON.parse(textOf(dashboard)) as { panels: PanelJson[] }).panels.filter(
    ({ type }) => type !== 'row',
  );

  it('says what it is, and can be asked for one service and instance', () => {
    expect(dashboard.description).not.toBe('');
    const names = dashboard.templating?.list?.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['datasource', 'job', 'instance']));
  });

  it.each(panels)(
    '$title: title, description, unit and data source',
    ({ title, description, fieldConfig, datasource, targets = [] }) => {
      expect(title).not.toBe('');
      expect(description).toMatch(/\.$/);
      expect(fieldConfig?.defaults.unit).toBeTruthy();
      for (const source of [datasource, ...targets.map((target) => target.datasource)]) {
        expect(source?.uid).toBe('$datasource');
      }
      expect(targets.length).toBeGreaterThan(0);
    },
  );

  it.each(panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr }))))(
    '$title asks for what there is: $expr',
    ({ expr }) => {
      // Grafana replaces the window before Prometheus sees it.
      expect(checkQuery(expr.replaceAll('$__rate_interval', '1m'), known)).toEqual([]);
      expect(expr).not.toMatch(/\brate\([^)]*\[(?!\$__rate_interval|1h|1d|5m)/);
    },
  );
});
