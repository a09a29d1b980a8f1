import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { serviceNames } from '@vortex/config';
import { repositoryRoot } from './folders.ts';
import { entryOf, nodeFlags } from './service-plan.ts';
import type { Terminal } from './terminal.ts';

/** A setting that does not exist. */
const refusal = { VORTEX__LAUNCHER__WARM_UP: '1' };
const atATime = 2;

/**
 * Fills Node's compile cache before the first start. A process that strips and compiles its own TypeScript
 * carries the compiler with it as long as it lives: 28 MB each, 220 MB in all. So each service is started
 * once with a configuration it must refuse: everything is loaded, nothing is done, and what was compiled is
 * kept when it ends. Done again when a source file has changed.
 */
export async function warmCode(compileCache: string, terminal: Terminal): Promise<void> {
  const stamp = join(compileCache, 'vortex-sources');
  const sources = sourcesSum();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  const step = terminal.step('Compiling the services (once)');
  const entries = [...serviceNames.map(entryOf), ...threadFiles()];
  const queue = entries.values();
  await Promise.all(
    Array.from({ length: atATime }, async () => {
      for (const entry of queue) {
        step.update(relative(repositoryRoot, entry));
        await loadAndEnd(entry, compileCache);
      }
    }),
  );
  step.done('Services compiled');
  try {
    mkdirSync(compileCache, { recursive: true });
    writeFileSync(stamp, sources);
  } catch {
    // A checkout that this user may not write to has no cache; the services then compile for themselves.
  }
}

/** Worker threads compile for themselves too. Started as a program, one finds no parent and ends. */
function threadFiles(): string[] {
  const paths = globSync(['libs/*/src/**/*-thread.ts', 'services/*/src/**/*-thread.ts'], {
    cwd: repositoryRoot,
  });
  return paths.map((path) => join(repositoryRoot, path));
}

function loadAndEnd(entry: string, compileCache: string): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...nodeFlags(), entry], {
      cwd: repositoryRoot,
      env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: compileCache, ...refusal },
      stdio: 'ignore',
      timeout: 30_000,
    });
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
}

function sourcesSum(): string {
  const sum = createHash('sha256').update(process.versions.node);
  for (const path of globSync(['libs/*/src/**/*.ts', 'services/*/src/**/*.ts'], {
    cwd: repositoryRoot,
  }).sort()) {
    const { size, mtimeMs } = statSync(join(repositoryRoot, path));
    sum.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return sum.digest('hex');
}
