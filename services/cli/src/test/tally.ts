/** What a suite came to. Checks (format, types …) count as one test each. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: { name: string; reason: string }[];
  /** What went wrong outside any test: a file that could not be loaded, an error nobody caught. */
  errors: string[];
}

export const emptyTally: Tally = { passed: 0, failed: 0, skipped: [], errors: [] };

export function sumTallies(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
    failed: tallies.reduce((sum, { failed, errors }) => sum + failed + errors.length, 0),
    skipped: tallies.flatMap(({ skipped }) => skipped),
    errors: tallies.flatMap(({ errors }) => errors),
  };
}

/** The line a test run closes with. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  const more = skipped.length > 0 ? `, ${skipped.length} skipped` : '';
  return `${passed} passed, ${failed} failed${more}`;
}

/** Null for anything that is not a tally: a reporter that was killed half-way leaves half a file. */
export function parseTally(text: string): Tally | null {
  try {
    const value = JSON.parse(text) as Partial<Tally>;
    const { passed, failed, skipped, errors } = value;
    if (typeof passed !== 'number' || typeof failed !== 'number') return null;
    if (!Array.isArray(skipped) || !Array.isArray(errors)) return null;
    return { passed, failed, skipped, errors };
  } catch {
    return null;
  }
}
