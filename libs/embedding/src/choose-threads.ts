import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Logger } from '@vortex/observability';
import type { ModelFiles } from './models/model-files.ts';

/** How a process spreads inference: so many threads, each of so many cores. */
export interface ThreadChoice {
  threads: number;
  intraOpThreads: number;
}

/** What the measuring process is given, and what it prints. */
export interface ThreadMeasurement {
  choices: ThreadChoice[];
  /** Questions per second of each choice; the best of the rounds. */
  rates: number[];
}

const run = promisify(execFile);
const fileName = 'thread-choice.json';
const measuringMs = 10_000;
/** Two cores at most unless the configuration says more: Redis, retriever and generators live on them too. */
const mostCores = 2;
/** One thread per core is the default; another way must be clearly better, measurements of a second are noisy. */
const clearlyBetter = 1.1;

/**
 * Two threads of one core each, or one of two: measured once per machine, in a process of its own (its
 * memory goes with it; about 1.5 s), and remembered in the models folder. On every machine measured so far
 * two threads of one core won. Never fails: without a measurement the default is taken.
 */
export async function chooseThreads(options: { files: ModelFiles; log: Logger }): Promise<ThreadChoice> {
  const { files, log } = options;
  const cores = Math.min(mostCores, availableParallelism());
  const single: ThreadChoice = { threads: cores, intraOpThreads: 1 };
  if (cores === 1) return single;

  const path = join(files.modelsDir, fileName);
  const machine = machineKey(files, cores);
  const known = await remembered(path, machine);
  if (known !== undefined) return known;
  try {
    const { choices, rates } = await measure(files, [single, { threads: 1, intraOpThreads: cores }]);
    const choice = bestChoice(choices, rates) ?? single;
    log.info({ choices, rates, choice }, 'inference threads measured');
    // The models folder of an image is read-only: there it is measured at every start.
    await remember(path, { machine, ...choice, choices, rates }).catch((error: unknown) =>
      log.info({ err: error }, 'the measurement could not be kept'),
    );
    return choice;
  } catch (error) {
    log.warn({ err: error }, 'inference threads could not be measured; one core per thread is used');
    return single;
  }
}

/** The first choice unless another is clearly better. */
export function bestChoice(
  choices: readonly ThreadChoice[],
  rates: readonly number[],
): ThreadChoice | undefined {
  const bar = (rates[0] ?? 0) * clearlyBetter;
  const best = rates.reduce((top, rate, index) => (rate > (rates[top] ?? 0) ? index : top), 0);
  return choices[(rates[best] ?? 0) > bar ? best : 0];
}

/** A measurement holds for this processor, model file and Node alone. */
function machineKey(files: ModelFiles, cores: number): string {
  return [
    cpus()[0]?.model.trim() ?? 'unknown processor',
    `${cores} cores`,
    files.fingerprint,
    process.version,
  ].join(' | ');
}

async function remembered(path: string, machine: string): Promise<ThreadChoice | undefined> {
  try {
    const stored = JSON.parse(await readFile(path, 'utf8'));
    const { threads, intraOpThreads } = stored;
    const sound = Number.isInteger(threads) && Number.isInteger(intraOpThreads) && threads > 0;
    return stored.machine === machine && sound && intraOpThreads > 0
      ? { threads, intraOpThreads }
      : undefined;
  } catch {
    // Never measured here, or cut off: measured again.
    return undefined;
  }
}

async function remember(path: string, value: object): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomUUID()}`;
  await writeFile(temporary, `${JSON.stringify(value, null, 2)}\n`);
  await rename(temporary, path);
}

async function measure(files: ModelFiles, choices: ThreadChoice[]): Promise<ThreadMeasurement> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const program = fileURLToPath(new URL(`./measure-threads.${extension}`, import.meta.url));
  const { stdout } = await run(process.execPath, [program, JSON.stringify({ files, choices })], {
    timeout: measuringMs,
  });
  return JSON.parse(stdout) as ThreadMeasurement;
}
