/** What a suite came to. Checks (format, types …) count as one test each. */
export interface Tally {
  passed: number;
  failed: { name: string; message: string }[];
  skipped: { name: string; reason: string }[];
  /** What went wrong outside any test: a file that could not be loaded, an error nobody caught. */
  errors: string[];
}

const maxMessageLines = 20;

export const emptyTally: Tally = { passed: 0, failed: [], skipped: [], errors: [] };

export function sumTallies(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
    failed: tallies.flatMap(({ failed }) => failed),
    skipped: tallies.flatMap(({ skipped }) => skipped),
    errors: tallies.flatMap(({ errors }) => errors),
  };
}

/** What did not pass, with its message: a long run's output is often cut before its middle. */
export function failureLines({ failed, errors }: Tally): string[] {
  const lines = failed.map(({ name, message }) => `failed: ${name}\n${indented(message)}`);
  return [...lines, ...errors.map((error) => `failed: ${error}`)];
}

/** The line a test run closes with. */
export function closingLine({ passed, failed, skipped, errors }: Tally): string {
  const more = skipped.length > 0 ? `, ${skipped.length} skipped` : '';
  return `${passed} passed, ${failed.length + errors.length} failed${more}`;
}

function indented(message: string): string {
  const lines = message.split('\n');
  const shown = lines.length > maxMessageLines ? [...lines.slice(0, maxMessageLines), '…'] : lines;
  return shown.map((line) => `  ${line}`).join('\n');
}

/** Null for anything that is not a tally: a reporter that was killed half-way leaves half a file. */
export function parseTally(text: string): Tally | null {
  try {
    const value = JSON.parse(text) as Partial<Tally>;
    const { passed, failed, skipped, errors } = value;
    if (typeof passed !== 'number' || !Array.isArray(failed)) return null;
    if (!Array.isArray(skipped) || !Array.isArray(errors)) return null;
    return { passed, failed, skipped, errors };
  } catch {
    return null;
  }
}
