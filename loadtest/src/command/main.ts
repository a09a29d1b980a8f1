import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createLiveView } from '../live/create-live-view.ts';
import { exitCodes, runLoadTest, TargetUnreachable } from '../run-load-test.ts';
import { annotateGrafana } from './annotate-grafana.ts';
import { describeRun } from './describe-run.ts';
import { helpText, readFlags, UsageProblem } from './flags.ts';
import { createPlainView } from './plain-view.ts';
import { readSettings } from './settings.ts';
import { writeResults } from './write-results.ts';

/** `loadtest …` with the words behind it. Resolves to the exit code; prints what there is to say. */
export async function main(words: readonly string[], program = 'loadtest'): Promise<number> {
  if (words.some((word) => word === '--help' || word === '-h')) {
    console.log(helpText(program));
    return exitCodes.good;
  }
  try {
    const [verb, ...rest] = words;
    if (verb === 'compare') {
      const { compareCommand } = await import('../compare/compare-command.ts');
      return await compareCommand(rest);
    }
    if (verb === 'self-check') {
      const { selfCheckCommand } = await import('../self-check/self-check-command.ts');
      return await selfCheckCommand(rest);
    }
    return await load(words);
  } catch (error) {
    if (error instanceof UsageProblem) {
      console.error(`${program}: ${error.message.replaceAll('\n', `\n${program}: `)}`);
      console.error(`What there is: ${program} --help`);
      return exitCodes.usage;
    }
    if (error instanceof TargetUnreachable) {
      console.error(`${program}: ${error.message}`);
      return exitCodes.unreachable;
    }
    throw error;
  }
}

async function load(words: readonly string[]): Promise<number> {
  const settings = readSettings(readFlags(words, process.env));
  const results = settings.out ?? 'loadtest-results';
  makeFolder(results);
  // With --json the standard output holds the summary alone.
  const print = settings.json ? console.error : console.log;
  const out = settings.json ? process.stderr : process.stdout;
  const view = (settings.plain ? null : createLiveView(out)) ?? createPlainView(print);
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    const { summary, samples } = await runLoadTest(settings, { view, signal: interruption.signal });
    const unsaid = settings.grafana === null ? null : await annotateGrafana(summary, settings.grafana);
    if (unsaid !== null) summary.run.notes.push(unsaid);
    const folder = settings.out ?? join(results, summary.run.id);
    const [first] = await writeResults(summary, samples, folder);
    if (settings.json) console.log(JSON.stringify(summary));
    else {
      print(describeRun(summary));
      print(`\nResults: ${first}`);
    }
    return summary.run.exit_code;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** One by one: below /proc, mkdir with `recursive` never comes back. */
function makeFolders(path: string): void {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw new Error(`${path} is no folder`);
    return;
  }
  makeFolders(dirname(path));
  mkdirSync(path);
}

/** Before the run: half an hour of load must not end in a folder that cannot be written. @throws UsageProblem */
function makeFolder(path: string): void {
  try {
    makeFolders(resolve(path));
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new UsageProblem(
      `the results cannot be written: ${error instanceof Error ? error.message : error}`,
    );
  }
}
