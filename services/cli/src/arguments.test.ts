import { describe, expect, it } from 'vitest';
import { buildProgram } from './commands.ts';

async function refusalOf(...words: string[]): Promise<{ code: string; exitCode: number; text: string }> {
  let text = '';
  const program = buildProgram();
  for (const command of [program, ...program.commands.flatMap((family) => [family, ...family.commands])]) {
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
    [['ingest'], 'commander.missingArgument'],
    [['ingest', 'a.md', '--chunk-size', '4'], 'commander.invalidArgument'],
    [['ingest', 'a.md', '--strategy', 'axe'], 'commander.invalidArgument'],
    [['ingest', 'a.md', '--metadata', '[1]'], 'commander.invalidArgument'],
    [['search', 'q', '--filter', 'year=2020'], 'commander.invalidArgument'],
    [['search', 'q', '--mode', 'psychic'], 'commander.invalidArgument'],
    [['documents', 'burn'], 'commander.unknownCommand'],
    [['documents', 'show'], 'commander.missingArgument'],
    [['documents', 'show', 'doc_1', '--text', '--chunks'], 'commander.conflictingOption'],
    [['collections', 'create'], 'commander.missingArgument'],
    [['collections', 'update', 'c', '--relevance-floor', '2'], 'commander.invalidArgument'],
    [['jobs', 'list', '--state', 'done'], 'commander.invalidArgument'],
    [['jobs', 'cancel'], 'commander.missingArgument'],
    [['dead', 'show'], 'commander.missingArgument'],
    [['dead', 'list', '--stage', 'door'], 'commander.invalidArgument'],
    [['dead', 'redrive', '--rate', '0'], 'commander.invalidArgument'],
    [['dead', 'redrive', '--before', 'lunch'], 'commander.invalidArgument'],
  ])('%j is refused with a hint', async (words, code) => {
    const refusal = await refusalOf(...words);
    expect(refusal.code).toBe(code);
    expect(refusal.exitCode).not.toBe(0);
    expect(refusal.text).toContain('vortex help');
  });

  it('is told by the commands themselves before anything is sent', async () => {
    const run = (...words: string[]) =>
      buildProgram().parseAsync(['node', 'vortex', ...words, '--url', 'http://127.0.0.1:1']);
    const refused = { name: 'CommandProblem', exitCode: 2 };
    await expect(run('search', ' ')).rejects.toMatchObject(refused);
    await expect(run('search', 'q', '--filter', '{"field":"a","op":"like","value":1}')).rejects.toMatchObject(
      refused,
    );
    await expect(run('ask', 'a'.repeat(8001))).rejects.toMatchObject({
      ...refused,
      message: 'The question must be at most 8,000 characters.',
    });
    await expect(run('ask', 'q', '--collection', '../x')).rejects.toMatchObject(refused);
    await expect(run('documents', 'delete')).rejects.toMatchObject(refused);
    await expect(run('dead', 'redrive')).rejects.toMatchObject(refused);
    await expect(run('dead', 'drop', '--yes')).rejects.toMatchObject(refused);
    await expect(run('dead', 'drop', '--queue', 'job:encoder_in')).rejects.toMatchObject(refused);
    await expect(run('collections', 'update', 'c')).rejects.toMatchObject(refused);
    await expect(run('collections', 'update', 'c', '--reset', 'colour')).rejects.toMatchObject(refused);
    await expect(run('ingest', 'no-such-file.md')).rejects.toMatchObject(refused);
  });

  it.each([
    [['status', '--url', 'zzz'], '--url zzz is no address.'],
    [['bench', 'search', '--dataset', '/nonexistent'], '/nonexistent/corpus.jsonl cannot be read'],
    [['bench', 'query', '--dataset', '/nonexistent'], '/nonexistent/corpus.jsonl cannot be read'],
    [['bench', 'chain', '--dataset', '/nonexistent'], 'bench chain takes no --dataset'],
  ])('%j is one line, before anything is started', async (words, line) => {
    const run = buildProgram().parseAsync(['node', 'vortex', ...words]);
    await expect(run).rejects.toMatchObject({
      ...{ name: 'CommandProblem', exitCode: 2, message: expect.stringContaining(line) },
    });
  });

  it('suggests what was probably meant', async () => {
    expect((await refusalOf('statsu')).text).toContain('status');
    expect((await refusalOf('up', '--detatch')).text).toContain('--detach');
  });
});
