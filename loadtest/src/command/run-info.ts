import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Summary } from '../summary-schema.ts';

/** Who measured, with what, on which machine. */
export function runInfo(startedAt: Date): Omit<Summary['run'], 'exit_code' | 'invalid' | 'state' | 'notes'> {
  const folder = join(import.meta.dirname, '../..');
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return {
    id: runId(startedAt),
    started_at: startedAt.toISOString(),
    tool: { version, node: process.versions.node, git_revision: gitRevision(folder) },
    host: {
      cpus: cpus().length,
      cpu_model: cpus()[0]?.model ?? 'unknown',
      memory_bytes: totalmem(),
      platform: `${platform()} ${arch()}`,
    },
  };
}

/** `20261128-141500-4711`: sorts by time, and two of one second differ. */
function runId(startedAt: Date): string {
  const stamp = startedAt.toISOString().replaceAll(/[-:]/g, '').slice(0, 15).replace('T', '-');
  return `${stamp}-${process.pid}`;
}

function gitRevision(cwd: string): string | null {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd, stdio, encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}
