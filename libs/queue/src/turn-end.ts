/**
 * What is done at the end of a turn of the event loop, once for everything that happened in it: first
 * settled jobs are gathered into commands, then the commands of each connection leave in one write. One
 * setImmediate for both phases: a second one, made in the first, would come a turn later. Tasks do not throw.
 */
type Phase = 'settle' | 'write';

const tasks: Record<Phase, (() => void)[]> = { settle: [], write: [] };
let scheduled = false;

export function atTurnEnd(phase: Phase, task: () => void): void {
  tasks[phase].push(task);
  if (scheduled) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    run('settle');
    run('write');
  });
}

function run(phase: Phase): void {
  const due = tasks[phase];
  // Grows while it is walked: a task may add one of its own phase, which belongs to this turn too.
  for (const task of due) task();
  tasks[phase] = [];
}
