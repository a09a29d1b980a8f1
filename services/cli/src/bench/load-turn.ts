import { setTimeout as delay } from 'node:timers/promises';
import { askInClosedLoop } from './ask-in-closed-loop.ts';
import type { PrivateStack } from './private-stack.ts';
import { cpuMsByProcess, cpuMsPerAnswer, processesOf } from './process-cpu.ts';

const settleMs = 1000;

/** A closed loop on a stack for so many seconds after a first one that is not counted, and what an answer cost its processes. */
export async function loadTurn(
  stack: PrivateStack,
  loop: Omit<Parameters<typeof askInClosedLoop>[0], 'url' | 'countFrom' | 'until'>,
  seconds: number,
): Promise<{ latencies: number[]; errors: number; perSecond: number; cpuMs: Record<string, number> }> {
  const processes = await processesOf(stack);
  const countFrom = performance.now() + settleMs;
  const asking = askInClosedLoop({ ...loop, url: stack.url, countFrom, until: countFrom + seconds * 1000 });
  await delay(countFrom - performance.now());
  const before = await cpuMsByProcess(processes);
  const { latencies, errors } = await asking;
  const cpuMs = cpuMsPerAnswer(before, await cpuMsByProcess(processes), latencies.length);
  return { latencies, errors, perSecond: latencies.length / seconds, cpuMs };
}
