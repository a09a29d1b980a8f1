import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { defaultModel } from '@vortex/embedding';
import { repositoryRoot } from '../folders.ts';
import { modelCacheDir, prepareModel } from '../prepare-model.ts';
import { CommandProblem } from '../problem.ts';
import { ensureRedis } from '../redis/install-redis.ts';
import type { Terminal } from '../terminal.ts';
import { ensurePostgres } from './ensure-postgres.ts';
import { ensurePrograms } from './ensure-programs.ts';
import { closingLine, emptyTally, failureLines, parseTally, sumTallies, type Tally } from './tally.ts';

/** In this order: what is quick and finds most comes first. */
const checks = [
  { name: 'format and lint', words: [process.execPath, bin('biome'), 'ci', '--error-on-warnings', '.'] },
  { name: 'types', words: [process.execPath, bin('tsc'), '-p', 'tsconfig.json'] },
  {
    name: 'room rules',
    words: [process.execPath, '--conditions=vortex-source', 'libs/testkit/src/check-rooms.ts'],
  },
  {
    name: 'supply chain',
    words: [process.execPath, '--conditions=vortex-source', 'services/cli/src/supply-chain/check.ts'],
  },
];
const projects = ['pure', 'redis', 'store', 'e2e'] as const;
/** `valkey`: what speaks to Redis, a second time on a `valkey-server`. */
const suiteNames = ['check', 'pure', 'redis', 'valkey', 'store', 'e2e'];

const imageNotChecked: Tally = {
  ...emptyTally,
  skipped: [{ name: 'container image', reason: 'it takes root and minutes: ./vortex image check' }],
};

/**
 * `./vortex test`: brings what the tests stand on, runs every check and every test, and closes with
 * `N passed, N failed`. False when anything failed or could not run.
 * @throws CommandProblem when Redis or the model cannot be had
 */
export async function runTests(
  options: { only?: string; yes?: boolean },
  terminal: Terminal,
): Promise<boolean> {
  const wanted = options.only?.split(',').map((name) => name.trim()) ?? suiteNames;
  const unknown = wanted.filter((name) => !suiteNames.includes(name));
  if (unknown.length > 0) {
    throw new CommandProblem(`There is no suite ${unknown.join(', ')}.`, {
      ways: [`There are: ${suiteNames.join(', ')}`],
      exitCode: 2,
    });
  }
  const started = performance.now();
  const environment = testEnvironment();
  await ensurePrograms(wanted, terminal, { yes: options.yes ?? false });
  if (wanted.some((name) => name !== 'check' && name !== 'pure')) {
    await ensureRedis(terminal, { yes: options.yes ?? false });
    if (wanted.includes('store') || wanted.includes('e2e')) {
      await ensurePostgres(terminal, { yes: options.yes ?? false });
    }
    const hfEndpoint = process.env.HF_ENDPOINT ?? null;
    await prepareModel({ model: defaultModel, modelsDir: modelCacheDir, hfEndpoint }, terminal);
  }

  const tallies: Tally[] = [];
  if (wanted.includes('check')) tallies.push(...(await runChecks(environment)));
  for (const project of projects) {
    if (wanted.includes(project)) tallies.push(await runProject(project, environment));
    if (project === 'redis' && wanted.includes('valkey')) tallies.push(await runOnValkey(environment));
  }
  if (options.only === undefined) tallies.push(imageNotChecked);
  const total = sumTallies(tallies);

  console.log(`\nDone in ${Math.round((performance.now() - started) / 1000)} s.`);
  for (const line of failureLines(total)) console.log(line);
  for (const [reason, names] of groupSkipped(total)) {
    const shown = names.length > 3 ? [...names.slice(0, 2), `and ${names.length - 2} more`] : names;
    console.log(`skipped: ${reason}\n${shown.map((name) => `  ${name}`).join('\n')}`);
  }
  console.log(closingLine(total));
  return failureLines(total).length === 0 && total.passed > 0;
}

/** What the user has set for an instance of their own must not reach the tests' instances. */
function testEnvironment(): NodeJS.ProcessEnv {
  const foreign = ['REDIS_URL', 'REDIS_HOST', 'REDIS_PORT', 'REDIS_ADDR', 'CACHE_REDIS_URL', 'PORT'];
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !name.startsWith('VORTEX__') && !foreign.includes(name) && !/^(OLLAMA|OPENAI|LLM)_/.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`,
    VORTEX__EMBEDDING__MODELS_DIR: modelCacheDir,
    VORTEX_TEST_MODELS_DIR: modelCacheDir,
  };
}

async function runChecks(environment: NodeJS.ProcessEnv): Promise<Tally[]> {
  const tallies: Tally[] = [];
  for (const { name, words } of checks) {
    heading(`check: ${name}`);
    const code = await run(words, environment);
    tallies.push(
      code === 0
        ? { ...emptyTally, passed: 1 }
        : { ...emptyTally, errors: [`check: ${name} (exit code ${code})`] },
    );
  }
  return tallies;
}

/** VORTEX_VALKEY_SERVER says where one is, should it not be in the PATH. */
async function runOnValkey(environment: NodeJS.ProcessEnv): Promise<Tally> {
  const program = process.env.VORTEX_VALKEY_SERVER ?? 'valkey-server';
  const { status, stdout } = spawnSync(program, ['--version'], { env: environment, encoding: 'utf8' });
  if (status !== 0) {
    const reason = 'there is no valkey-server here (in the PATH, or by VORTEX_VALKEY_SERVER)';
    return { ...emptyTally, skipped: [{ name: 'tests: redis, on Valkey', reason }] };
  }
  const version = /v=(\S+)/.exec(stdout)?.[1] ?? '';
  const more = { VORTEX_TEST_REDIS_SERVER: program };
  return runProject('redis', { ...environment, ...more }, `valkey ${version}`, [
    'libs/queue',
    'libs/runtime',
  ]);
}

async function runProject(
  project: (typeof projects)[number],
  environment: NodeJS.ProcessEnv,
  title: string = project,
  folders: readonly string[] = [],
): Promise<Tally> {
  heading(`tests: ${title}`);
  const folder = mkdtempSync(join(tmpdir(), 'vortex-tally-'));
  const file = join(folder, 'tally.json');
  try {
    const reporter = join(import.meta.dirname, 'tally-reporter.ts');
    const words = [process.execPath, bin('vitest'), 'run', '--project', project, ...folders];
    const reporters = ['--reporter=default', `--reporter=${reporter}`];
    const code = await run([...words, ...reporters], { ...environment, VORTEX_TALLY_FILE: file });
    return judge(title, code, readTally(file));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A runner that failed although no test did, or that left no tally, is a failure of its own. */
export function judge(project: string, exitCode: number, tally: Tally | null): Tally {
  if (tally === null) {
    return { ...emptyTally, errors: [`tests: ${project} could not run (exit code ${exitCode})`] };
  }
  const told = tally.failed.length > 0 || tally.errors.length > 0;
  if (exitCode !== 0 && !told) {
    return { ...tally, errors: [`tests: ${project} ended with exit code ${exitCode} without a failed test`] };
  }
  return tally;
}

function readTally(file: string): Tally | null {
  try {
    return parseTally(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

function groupSkipped({ skipped }: Tally): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { name, reason } of skipped) groups.set(reason, [...(groups.get(reason) ?? []), name]);
  return groups;
}

function run(words: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [command = '', ...args] = words;
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: repositoryRoot, env, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', () => resolve(-1));
    child.once('close', (code) => resolve(code ?? -1));
  });
}

function bin(name: string): string {
  return join(repositoryRoot, 'node_modules', '.bin', name);
}

function heading(text: string): void {
  console.log(`\n── ${text} ──`);
}
