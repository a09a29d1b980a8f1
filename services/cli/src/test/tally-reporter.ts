import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { TestError } from 'vitest';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';
import type { Tally } from './tally.ts';

/**
 * Writes a run's tally to `VORTEX_TALLY_FILE`. Vitest's own JSON report leaves out why a test was skipped,
 * and a skipped test without its reason is a hole nobody sees.
 */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env.VORTEX_TALLY_FILE;
    if (file === undefined) return;
    const tally: Tally = { passed: 0, failed: [], skipped: [], errors: [] };
    for (const module of modules) {
      const place = relative(process.cwd(), module.moduleId);
      for (const test of module.children.allTests()) count(tally, test, place);
      for (const error of module.errors()) tally.errors.push(`${place}: ${error.message}`);
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors())
          tally.errors.push(`${place} > ${suite.fullName}: ${error.message}`);
      }
    }
    for (const error of unhandled) tally.errors.push(`outside any test: ${error.message}`);
    writeFileSync(file, JSON.stringify(tally));
  }
}

function count(tally: Tally, test: TestCase, place: string): void {
  const result = test.result();
  switch (result.state) {
    case 'passed':
      tally.passed += 1;
      return;
    case 'skipped':
      tally.skipped.push({ name: `${place} > ${test.fullName}`, reason: result.note ?? reasonInName(test) });
      return;
    case 'failed':
      tally.failed.push({ name: `${place} > ${test.fullName}`, message: messageOf(result.errors) });
      return;
    default:
      // Never run: its file's set-up failed or the run was cut off.
      tally.errors.push(`${place} > ${test.fullName}: did not run`);
  }
}

/** The assertion, what was expected of it, and the line of the test that asked. */
function messageOf(errors: readonly TestError[]): string {
  return errors
    .map(({ message, diff, stacks }) => {
      const [place] = stacks ?? [];
      const at = place === undefined ? [] : [`at ${relative(process.cwd(), place.file)}:${place.line}`];
      return stripVTControlCharacters([message, ...(diff === undefined ? [] : [diff]), ...at].join('\n'));
    })
    .join('\n');
}

/** A suite that is skipped as a whole says why in its title, if anywhere. */
function reasonInName(test: TestCase): string {
  return test.options.mode === 'todo' ? 'not written yet' : 'skipped in its file, without a reason given';
}
