import { parseArgs } from 'node:util';
import { UsageProblem } from '../command/flags.ts';
import { exitCodes } from '../run-load-test.ts';
import { type CheckResult, checkAgainstWrk, checkArrivals, checkPause, checkPunctuality } from './checks.ts';

/**
 * Does the load tester tell the truth on this machine? About a minute; ten seconds with `--short`, which leaves out what
 * a busy machine would make fail. Exit code 4 when a check does not hold: what it measures here is not valid.
 * @throws UsageProblem
 */
export async function selfCheckCommand(words: readonly string[]): Promise<number> {
  const { short, json } = readWords(words);
  const checks: (() => CheckResult | Promise<CheckResult>)[] = short
    ? [checkArrivals, () => checkPause(5)]
    : [checkArrivals, () => checkPause(10), () => checkAgainstWrk(8), () => checkPunctuality(10)];
  const results: CheckResult[] = [];
  for (const check of checks) {
    const result = await check();
    results.push(result);
    if (!json) console.log(`${label(result)}  ${result.name}: ${result.said}`);
  }
  if (json) console.log(JSON.stringify(results));
  return results.some(({ holds }) => holds === false) ? exitCodes.invalid : exitCodes.good;
}

function label({ holds }: CheckResult): string {
  return holds === null ? 'skipped' : holds ? 'holds  ' : 'FAILS  ';
}

function readWords(words: readonly string[]) {
  const options = {
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  } as const;
  try {
    return parseArgs({ args: [...words], options }).values;
  } catch (error) {
    throw new UsageProblem(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error));
  }
}
