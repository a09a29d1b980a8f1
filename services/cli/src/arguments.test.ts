import { describe, expect, it } from 'vitest';
import { buildProgram } from './commands.ts';

async function refusalOf(...words: string[]): Promise<{ code: string; exitCode: number; text: string }> {
  let text = '';
  const program = buildProgram();
  for (const command of [program, ...program.commands]) {
    command.configureOutput({
      writeErr: (piece) => {
        text += piece;
      },
    });
  }
  try {
    await program.parseAsync(['node', 'vortex', ...words]);
  } catch (error) {
    const { code, exitCode } = error as { code: string; exitCode: number };
    return { code, exitCode, text };
  }
  throw new Error('nothing was refused');
}

describe('wrong usage', () => {
  it.each([
    [['nope'], 'commander.unknownCommand'],
    [['up', '--nope'], 'commander.unknownOption'],
    [['up', '--port', '70000'], 'commander.invalidArgument'],
    [['up', '--replicas', '0'], 'commander.invalidArgument'],
    [['up', '--llm', 'parrot'], 'commander.invalidArgument'],
    [['ask'], 'commander.missingArgument'],
    [['bench', 'everything'], 'commander.invalidArgument'],
    [['status', '--url', 'http://h:1', '--data', 'd'], 'commander.conflictingOption'],
    [['down', 'now'], 'commander.excessArguments'],
  ])('%j is refused with a hint', async (words, code) => {
    const refusal = await refusalOf(...words);
    expect(refusal.code).toBe(code);
    expect(refusal.exitCode).not.toBe(0);
    expect(refusal.text).toContain('vortex help');
  });

  it('suggests what was probably meant', async () => {
    expect((await refusalOf('statsu')).text).toContain('status');
    expect((await refusalOf('up', '--detatch')).text).toContain('--detach');
  });
});
