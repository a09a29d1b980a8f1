import { readFileSync } from 'node:fs';
import { residentBytes } from '../supervisor/process-identity.ts';
import type { PrivateStack } from './private-stack.ts';

export interface MemoryPeak {
  /** Highest sum of all processes of the stack, the supervisor and parsing children included. */
  stack_bytes: number;
  /** Highest sum of the ingest service and its children. */
  ingest_bytes: number;
  samples: number;
}

const sampleMs = 200;

/** Looks at the resident memory of a stack until it is stopped. Pages that processes share count once for each. */
export async function watchMemory(stack: PrivateStack): Promise<{ stop(): MemoryPeak }> {
  const { supervisor, services } = await stack.status();
  const pids = [supervisor?.pid, ...services.map(({ pid }) => pid)].filter((pid) => typeof pid === 'number');
  const ingest = services.find(({ name }) => name === 'ingest')?.pid ?? null;
  const peak: MemoryPeak = { stack_bytes: 0, ingest_bytes: 0, samples: 0 };
  const sample = () => {
    const children = ingest === null ? [] : descendantsOf(ingest);
    const sumOf = (all: readonly number[]) => all.reduce((sum, pid) => sum + (residentBytes(pid) ?? 0), 0);
    const below = sumOf(children);
    peak.stack_bytes = Math.max(peak.stack_bytes, sumOf(pids) + below);
    if (ingest !== null) peak.ingest_bytes = Math.max(peak.ingest_bytes, sumOf([ingest]) + below);
    peak.samples += 1;
  };
  sample();
  const timer = setInterval(sample, sampleMs);
  return {
    stop() {
      clearInterval(timer);
      sample();
      return peak;
    },
  };
}

/** Children, their children and so on; none where there is no /proc. */
function descendantsOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
    return children.flatMap((child) => [child, ...descendantsOf(child)]);
  } catch {
    return [];
  }
}
