import { harmlessLines } from '@vortex/terminal';
import { CommanderError } from 'commander';
import { buildProgram } from './commands.ts';
import { launcherName } from './folders.ts';
import { CommandProblem } from './problem.ts';

/** Entry of the `vortex` launcher. Exit code: 0 done, 1 it did not work, 2 it was asked for wrongly. */
try {
  await buildProgram().parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has printed its message already; help and version are no failure.
    return error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof CommandProblem) {
    console.error(
      harmlessLines([`vortex: ${error.message}`, ...error.ways.map((way) => `  ${way}`)].join('\n')),
    );
    return error.exitCode;
  }
  if (isExpected(error)) {
    console.error(harmlessLines(`vortex: ${error.message}`));
    if ('status' in error && error.status === 401) {
      console.error('  Give the key: --api-key KEY, or VORTEX_API_KEY=KEY; --data on its machine needs none');
    }
    return 1;
  }
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  console.error(harmlessLines(`vortex: ${message}`));
  console.error(`  This looks like a bug. What is wrong here: ${launcherName()} doctor`);
  if (process.env.VORTEX_DEBUG) console.error(stack);
  else console.error('  The stack trace: set VORTEX_DEBUG=1 and start again');
  return 1;
}

/** Told apart by name: loading the client for its classes would cost every command 100 ms. */
function isExpected(error: unknown): error is Error {
  return error instanceof Error && ['ApiProblem', 'GatewayUnreachable'].includes(error.name);
}
