import type { Command } from 'commander';
import { collect, commandOf, decimal } from '../command-options.ts';
import { createTerminal } from '../terminal.ts';

/** `vortex observe …`: whether the watch itself sees what it should. */
export function addObserveCommands(program: Command): void {
  const observe = commandOf(program, 'observe', 'whether dashboards and alerts see what they should');

  commandOf(observe, 'check', 'every query of every dashboard brings series; exits 1 when one does not')
    .option(
      '--data <folder>',
      'an instance that runs with --observe (default: a stack of its own, after a short run)',
    )
    .option('--json', 'the report, for programs', false)
    .action(async (options) => {
      const { observeCheck } = await import('./observe-command.ts');
      if (!(await observeCheck(options, createTerminal()))) process.exitCode = 1;
    });

  commandOf(
    observe,
    'drill',
    'faults in stacks of its own raise exactly the alerts of the runbook; exits 1 when not',
  )
    .option('--only <fault>', 'this one only; repeatable', collect, [])
    .option('--speed <factor>', 'windows and waits of the rules so many times shorter', decimal(1, 60), 10)
    .option('--json', 'the report, for programs', false)
    .action(async (options) => {
      const { observeDrill } = await import('./observe-command.ts');
      if (!(await observeDrill(options, createTerminal()))) process.exitCode = 1;
    });
}
