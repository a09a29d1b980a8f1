import { writeFileSync } from 'node:fs';
import { dashboardFolder, dashboards, textOf } from './index.ts';

/** `npm run dashboards`: the committed JSON anew, from this folder. */
for (const [file, dashboard] of Object.entries(dashboards)) {
  writeFileSync(new URL(file, dashboardFolder), textOf(dashboard));
}
