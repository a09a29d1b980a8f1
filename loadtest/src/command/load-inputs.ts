import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Arrival } from '../plan/arrivals.ts';
import { type Mark, readMarks } from '../plan/marks.ts';
import { builtInQuestions, type Question, readQuestions } from '../plan/questions.ts';
import { readReplay } from '../plan/replay.ts';
import { readTenants, type Tenant } from '../plan/tenants.ts';
import { UsageProblem } from './flags.ts';

/** @throws UsageProblem */
export function loadQuestions(file: string | null): {
  questions: readonly Question[];
  source: string;
  hash: string;
} {
  const questions = file === null ? builtInQuestions : fromFile(file, readQuestions);
  const hash = createHash('sha256').update(JSON.stringify(questions)).digest('hex');
  return { questions, source: file ?? 'built in', hash };
}

/** @throws UsageProblem */
export function loadReplay(file: string): Arrival[] {
  const found = fromFile(file, readReplay);
  if (found.length === 0) throw new UsageProblem(`${file}: there is no arrival in it`);
  return found;
}

/**
 * Before the run: a file that is not there yet is fine, one that cannot be read is a mistake better heard of now.
 * @throws UsageProblem
 */
export function checkMarks(file: string): void {
  if (!existsSync(file)) return;
  const { problems } = fromFile(file, (text) => readMarks(text, 0));
  if (problems.length > 0) throw new UsageProblem(`${file}: ${problems.join('; ')}`);
}

/** After it: never fails, and says what could not be read. */
export function loadMarks(
  file: string,
  run: { zeroAtMs: number; endMs: number },
): { marks: Mark[]; problems: string[] } {
  try {
    const { marks, problems } = readMarks(readFileSync(file, 'utf8'), run.zeroAtMs);
    return {
      marks: marks.filter(({ atMs }) => atMs >= 0 && atMs <= run.endMs),
      problems: problems.map((problem) => `marks: ${problem}`),
    };
  } catch (error) {
    return { marks: [], problems: [`no marks: ${error instanceof Error ? error.message : error}`] };
  }
}

/** @throws UsageProblem */
export function loadTenants(file: string): Tenant[] {
  return fromFile(file, readTenants);
}

function fromFile<Result>(file: string, read: (text: string) => Result): Result {
  try {
    return read(readFileSync(file, 'utf8'));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageProblem(message.includes(file) ? message : `${file}: ${message}`);
  }
}
