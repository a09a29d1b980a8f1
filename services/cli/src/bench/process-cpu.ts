import { readFile } from 'node:fs/promises';
import type { PrivateStack } from './private-stack.ts';

/** The processes to account for, asked once: asking costs a process of its own, which must not run beside the load. */
export async function processesOf(stack: PrivateStack): Promise<Map<string, number>> {
  const { services } = await stack.status();
  return new Map(
    services.flatMap(({ name, worker_name, pid }) =>
      pid === null ? [] : [[name === 'llm-generator' ? (worker_name ?? name) : name, pid] as const],
    ),
  );
}

/** User and system time of each process so far, from /proc (left out where there is none). */
export async function cpuMsByProcess(
  processes: ReadonlyMap<string, number>,
): Promise<Record<string, number>> {
  const times: Record<string, number> = {};
  for (const [name, pid] of processes) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    // Linux counts in ticks of 10 ms on every platform Node runs on.
    if (Number.isFinite(ticks)) times[name] = ticks * 10;
  }
  return times;
}

/** What each process has used between two looks, by what was answered meanwhile. */
export function cpuMsPerAnswer(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  answered: number,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, ms]) => [name, (ms - (before[name] ?? ms)) / Math.max(1, answered)]),
  );
}
