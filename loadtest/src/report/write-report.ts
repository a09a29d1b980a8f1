import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sample } from '../sample-schema.ts';
import type { Summary } from '../summary-schema.ts';
import { reportPage } from './report-page.ts';
import { runData } from './run-data.ts';

/** Writes `report.html` into the folder. Returns its path; null: none was written. */
export async function writeReport(
  summary: Summary,
  samples: readonly Sample[],
  outDir: string,
): Promise<string | null> {
  const path = join(outDir, 'report.html');
  await writeFile(path, reportPage(runData(summary, samples)));
  return path;
}
