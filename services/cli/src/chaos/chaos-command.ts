import { defaultModel } from '@vortex/embedding';
import { isThere, modelCacheDir, prepareModel } from '../prepare-model.ts';
import { CommandProblem } from '../problem.ts';
import { ensureRedis } from '../redis/install-redis.ts';
import { table } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { scenarios } from './all-scenarios.ts';
import { reportText } from './report.ts';
import { runScenarios } from './run-scenarios.ts';
import { jobsOf } from './scenario.ts';

export interface ChaosOptions {
  list: boolean;
  only: string[];
  jobs: number;
  json: boolean;
}

/**
 * `vortex chaos`: every fault, one after the other, on servers of its own. False when a scenario did not hold or a
 * bound was missed.
 * @throws CommandProblem (exit 2) for a name that is none
 */
export async function chaos(options: ChaosOptions, terminal: Terminal): Promise<boolean> {
  const unknown = options.only.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    const ways = [`There are: ${scenarios.map(({ name }) => name).join(', ')}`];
    throw new CommandProblem(`There is no scenario ${unknown.join(', ')}.`, { ways, exitCode: 2 });
  }
  if (options.list) {
    print(options);
    return true;
  }
  const chosen = scenarios.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  const redis = await ensureRedis(terminal, { yes: false });
  const needsModel = chosen.some(({ ground }) => ground === 'stack');
  if (needsModel && !(await isThere({ model: defaultModel, modelsDir: modelCacheDir }))) {
    const hfEndpoint = process.env.HF_ENDPOINT ?? null;
    await prepareModel({ model: defaultModel, modelsDir: modelCacheDir, hfEndpoint }, terminal);
  }
  const report = await runScenarios({
    all: scenarios,
    chosen,
    jobs: options.jobs,
    redisBinary: redis.path,
    modelsDir: modelCacheDir,
    note: (line) => terminal.note(`  ${line}`),
  });
  console.log(options.json ? JSON.stringify(report, null, 2) : reportText(report));
  // What a broken scenario has left waiting must not keep the command from ending. Nor may Node tidy up by itself: with
  // connections that were cut it went round for ever in `CleanupHandles` (Node 24.21), at full load. `exit` skips that.
  setTimeout(() => process.exit(), 200);
  return report.ok;
}

function print({ jobs, json }: ChaosOptions): void {
  const rows = scenarios.map((scenario) => ({
    name: scenario.name,
    family: scenario.family,
    ground: scenario.ground,
    jobs: scenario.share === 0 ? null : jobsOf(scenario, scenarios, jobs),
    holds: scenario.holds,
  }));
  if (json) console.log(JSON.stringify({ scenarios: rows }, null, 2));
  else {
    const cells = rows.map((row) => [row.name, row.ground, row.jobs, row.holds]);
    console.log(table(['scenario', 'ground', 'jobs', 'what must hold'], cells));
  }
}
