import type { SearchMode } from '@vortex/contracts';
import { defaultModel } from '@vortex/embedding';
import { UnreadableDataset } from '../bench/dataset.ts';
import { isThere, modelCacheDir, prepareModel } from '../prepare-model.ts';
import { CommandProblem } from '../problem.ts';
import { ensureRedis } from '../redis/install-redis.ts';
import { table } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import type { EvalReport } from './run-eval.ts';

export interface EvalCommandOptions {
  dataset: string;
  mode?: SearchMode[];
  model?: string;
  json: boolean;
}

const allModes: readonly SearchMode[] = ['dense', 'sparse', 'hybrid'];

/** @throws CommandProblem for a dataset that cannot be read. */
export async function evaluate(options: EvalCommandOptions, terminal: Terminal): Promise<void> {
  const { dataset, model = defaultModel, mode: modes = allModes } = options;
  await ensureRedis(terminal, { yes: false });
  if (!(await isThere({ model, modelsDir: modelCacheDir }))) {
    await prepareModel(
      { model, modelsDir: modelCacheDir, hfEndpoint: process.env.HF_ENDPOINT ?? null },
      terminal,
    );
  }
  const { runEval } = await import('./run-eval.ts');
  const stopping = new AbortController();
  // The stack is in the background: without this, Ctrl-C would leave it running.
  const stop = () => stopping.abort(new CommandProblem('Stopped; the private stack is gone.'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  try {
    const report = await runEval({
      ...{ dataset, model, modes, modelsDir: modelCacheDir, signal: stopping.signal },
      onProgress: (line) => terminal.note(`  ${line}`),
    });
    console.log(options.json ? JSON.stringify(report) : describeEval(report));
  } catch (error) {
    if (error instanceof UnreadableDataset) throw new CommandProblem(error.message, { exitCode: 2 });
    throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, stop);
  }
}

function describeEval({ dataset, queries, modes }: EvalReport): string {
  const rows = Object.entries(modes).map(([mode, scores]) => [
    mode,
    ...[scores['ndcg@10'], scores['recall@100'], scores['mrr@10']].map((score) => score.toFixed(4)),
  ]);
  return [`${dataset}: ${queries} questions`, table(['mode', 'nDCG@10', 'Recall@100', 'MRR@10'], rows)].join(
    '\n',
  );
}
