import type { Sample } from '../sample-schema.ts';
import type { Summary } from '../summary-schema.ts';

/** Writes `report.html` into the folder. Returns its path; null: none was written. */
export async function writeReport(
  _summary: Summary,
  _samples: readonly Sample[],
  _outDir: string,
): Promise<string | null> {
  return null;
}
