import { fork } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { FuzzBudget } from '@vortex/testkit/fuzz';
import type { FuzzReport, FuzzTask } from './fuzz-child.ts';

export interface Fuzzed {
  /** With the file that shows it, which is kept; anything here is to be mended and saved in the corpus. */
  complaints: string[];
  /** How many ended how. */
  outcomes: Map<string, number>;
}

/** What the reader of the service gets by default (`ingest.parser_memory_mb`). */
const heapMegabytes = 1024;
/** A case that has not ended by then never will: the longest that are read take a tenth of it. */
const giveUpMs = 180_000;

/** Cases in a child process, one after the other; a child that dies of one is a complaint, and the next goes on. */
export async function fuzzDocuments({ cases, seed }: FuzzBudget, folder: string): Promise<Fuzzed> {
  const fuzzed: Fuzzed = { complaints: [], outcomes: new Map() };
  for (let from = 0; from < cases; ) from = await inOneChild({ seed, from, to: cases, folder }, fuzzed);
  return fuzzed;
}

/** Resolves with the case to go on with. */
function inOneChild(task: FuzzTask, { complaints, outcomes }: Fuzzed): Promise<number> {
  const child = fork(fileURLToPath(new URL('./fuzz-child.ts', import.meta.url)), [], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { PATH: process.env.PATH, TZ: process.env.TZ, LANG: process.env.LANG },
    execArgv: [`--max-old-space-size=${heapMegabytes}`, '--no-warnings', '--conditions=vortex-source'],
  });
  let errors = '';
  child.stderr?.on('data', (data: Buffer) => {
    errors = (errors + data.toString()).slice(-2000);
  });
  let next = task.from;
  let open: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  child.on('message', (report: FuzzReport) => {
    const { number, file } = report;
    clearTimeout(timer);
    next = number + 1;
    open = report.kind === 'begun' ? `case ${number} of seed ${task.seed}, ${file}` : null;
    if (report.kind === 'begun') timer = setTimeout(() => child.kill('SIGKILL'), giveUpMs);
    else if (report.kind === 'ended') {
      outcomes.set(report.outcome, (outcomes.get(report.outcome) ?? 0) + 1);
      void rm(file, { force: true });
    } else complaints.push(`case ${number} of seed ${task.seed}, ${file}: ${report.complaint}`);
  });
  child.send(task);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (open !== null) complaints.push(`${open}: the process ended by ${signal ?? code}. ${errors}`);
      else if (next < task.to) {
        complaints.push(
          `behind case ${next - 1} of seed ${task.seed} the process ended by ${signal ?? code}. ${errors}`,
        );
      }
      resolve(open === null && next === task.from ? task.to : next);
    });
  });
}
