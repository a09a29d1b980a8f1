import type { Command } from 'commander';
import { commandOf, instanceCommandOf } from './command-options.ts';

/** `vortex replicas …`: the generators and who of them may work. */
export function addReplicaCommands(program: Command): void {
  const replicas = commandOf(program, 'replicas', 'generator replicas: which take work, and which may');

  instanceCommandOf(replicas, 'list', 'each with its breaker')
    .option('--json', 'for programs', false)
    .action(async (options) => (await import('./replicas-command.ts')).listReplicas(options));

  for (const [verb, about] of [
    ['drain', 'finish what it has, take nothing new'],
    ['resume', 'let it work again, slowly at first'],
  ] as const) {
    instanceCommandOf(replicas, verb, about)
      .argument('<name>', 'its WORKER_NAME')
      .option('--json', 'for programs', false)
      .action(async (name, options) =>
        (await import('./replicas-command.ts')).orderReplica(verb, name, options),
      );
  }
}
