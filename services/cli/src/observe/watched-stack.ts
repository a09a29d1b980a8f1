import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instancePaths, repositoryRoot } from '../folders.ts';
import { CommandProblem } from '../problem.ts';
import { type RunFile, type RunProcess, readRunFile } from '../supervisor/run-file.ts';

/** A Vortex of the check's own, started as a user would: `up --detach --observe`. */
export interface WatchedStack {
  run(): RunFile;
  /** The first process of a service. */
  process(service: string): RunProcess & { url: string };
  stop(): Promise<void>;
}

/** @throws CommandProblem with what `up` said when it does not start */
export async function startWatchedStack(options: {
  port: number;
  speed: number;
  settings: readonly string[];
}): Promise<WatchedStack> {
  const data = mkdtempSync(join(tmpdir(), 'vortex-observe-'));
  const { runFile } = instancePaths(data);
  const sets = options.settings.flatMap((setting) => ['--set', setting]);
  const flags = [
    '--observe',
    '--observe-speed',
    String(options.speed),
    '--no-demo',
    '--port',
    String(options.port),
  ];
  const stop = async () => {
    await vortex(['down', '--data', data]);
    rmSync(data, { recursive: true, force: true, maxRetries: 5 });
  };
  const started = await vortex(['up', '--detach', '--yes', '--data', data, ...flags, ...sets]);
  if (started.code !== 0) {
    await stop();
    throw new CommandProblem('The stack to be watched did not start.', {
      ways: started.said.trim().split('\n'),
    });
  }
  const run = () => {
    const now = readRunFile(runFile);
    if (now === null) throw new Error(`there is no ${runFile}`);
    return now;
  };
  return {
    run,
    stop,
    process(service) {
      const found = run().processes.find((one) => one.service === service);
      if (found === undefined || found.url === null) throw new Error(`${service} is not part of the stack`);
      return { ...found, url: found.url };
    },
  };
}

function vortex(words: readonly string[]): Promise<{ code: number; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(repositoryRoot, 'vortex'), words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, said }));
  });
}
