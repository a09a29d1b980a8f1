import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { repositoryRoot } from '../folders.ts';

/** A query of a committed dashboard, as Grafana would send it. */
export interface WatchedQuery {
  dashboard: string;
  panel: string;
  expression: string;
}

const dashboardFile = z.object({
  title: z.string(),
  panels: z.array(
    z.object({
      title: z.string(),
      targets: z.array(z.object({ expr: z.string() })).default([]),
    }),
  ),
});

/** @param rateWindow what Grafana would put in place of `$__rate_interval`: at least four scrapes */
export function watchedQueries(rateWindow: string): WatchedQuery[] {
  const folder = join(repositoryRoot, 'deploy', 'grafana', 'dashboards');
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  return files.sort().flatMap((file) => {
    const { title, panels } = dashboardFile.parse(JSON.parse(readFileSync(join(folder, file), 'utf8')));
    return panels.flatMap((panel) =>
      panel.targets.map(({ expr }) => ({
        dashboard: title,
        panel: panel.title,
        expression: expr
          .replaceAll('$__rate_interval', rateWindow)
          .replaceAll('$job', '.+')
          .replaceAll('$instance', '.+'),
      })),
    );
  });
}
