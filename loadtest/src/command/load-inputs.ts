import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Arrival } from '../plan/arrivals.ts';
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
