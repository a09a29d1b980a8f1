import { stageNames } from '@vortex/contracts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { commandOf, decimal, instanceCommandOf, wholeNumber } from './command-options.ts';
import { createTerminal } from './terminal.ts';

/** `vortex dead …`: jobs that could not go on, and their way back. */
export function addDeadCommands(program: Command): void {
  const dead = commandOf(program, 'dead', 'jobs that could not go on: list, show, redrive, drop');

  choice(instanceCommandOf(dead, 'list', 'newest first'))
    .option('--limit <count>', 'at most', wholeNumber(1, 10_000), 50)
    .option('--json', 'for programs', false)
    .action(async (options) => (await import('./dead-command.ts')).listDeadLetters(options));

  instanceCommandOf(dead, 'show', 'all about one, with the raw bytes of its job')
    .argument('<id>', 'the letter’s, not its job’s')
    .option('--json', 'for programs', false)
    .action(async (id, options) => (await import('./dead-command.ts')).showDeadLetter(id, options));

  times(choice(instanceCommandOf(dead, 'redrive', 'put their jobs on their queues again, oldest first')))
    .argument('[id...]', 'these; or say which')
    .option('--all', 'whatever there is', false)
    .option('--rate <count>', 'a second', decimal(0.1, 1000), 50)
    .option('--limit <count>', 'at most', wholeNumber(1, 10_000), 100)
    .option('--dry-run', 'only say what would be done', false)
    .option('--json', 'for programs', false)
    .action(async (ids, options) => {
      const { redriveDeadLetters } = await import('./dead-command.ts');
      if (!(await redriveDeadLetters(ids, options))) process.exitCode = 1;
    });

  instanceCommandOf(dead, 'drop', 'throw them away')
    .argument('[id...]', 'these; or all of a queue')
    .option('--queue <list>', 'such as job:encoder_in')
    .option('--code <code>', 'only with this cause')
    .option('--before <time>', 'only those that ended earlier (ISO 8601)', time)
    .option('-y, --yes', 'without asking', false)
    .option('--json', 'for programs', false)
    .action(async (ids, options) =>
      (await import('./dead-command.ts')).dropDeadLetters(ids, options, createTerminal()),
    );
}

function choice(command: Command): Command {
  return command
    .option('--queue <list>', 'of this one, such as job:encoder_in (default: all)')
    .addOption(new Option('--stage <stage>', 'the same by its stage').choices(stageNames))
    .option('--code <code>', 'only with this cause');
}

function times(command: Command): Command {
  return command
    .option('--before <time>', 'only those that ended earlier (ISO 8601)', time)
    .option('--after <time>', 'only those that ended later', time);
}

function time(text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new InvalidArgumentError('It must be a time, such as 2026-01-31T08:00:00Z.');
  return new Date(at).toISOString();
}
