/**
 * What a command says when it cannot go on: one sentence, the way out, no stack trace.
 * Exit code 2 is wrong usage (of a command or of the configuration), 1 is everything else.
 */
export class CommandProblem extends Error {
  readonly ways: readonly string[];
  readonly exitCode: 1 | 2;

  constructor(message: string, options: { ways?: readonly string[]; exitCode?: 1 | 2 } = {}) {
    super(message);
    this.name = 'CommandProblem';
    this.ways = options.ways ?? [];
    this.exitCode = options.exitCode ?? 1;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
