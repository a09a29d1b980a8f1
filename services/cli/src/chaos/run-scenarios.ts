import { type Chain, openChain } from './chain.ts';
import { type ChaosReport, reportOf, rowOf, type ScenarioRow } from './report.ts';
import { type Grounds, jobsOf, type Outcome, type Scenario, shareOf } from './scenario.ts';
import { type ChaosStack, openChaosStack } from './stack.ts';

export interface RunOptions {
  /** Of all scenarios: what `jobs` is shared among, also when only some are run. */
  all: readonly Scenario[];
  chosen: readonly Scenario[];
  jobs: number;
  redisBinary?: string;
  modelsDir: string;
  note: (line: string) => void;
}

/**
 * One scenario after the other. They share a ground as long as they leave it in order; after one that did not
 * hold, the next gets a new one.
 */
export async function runScenarios(options: RunOptions): Promise<ChaosReport> {
  const { all, chosen, jobs, note } = options;
  const redis = options.redisBinary === undefined ? {} : { redisBinary: options.redisBinary };
  const begun = performance.now();
  const rows: ScenarioRow[] = [];
  const redeliveries: number[] = [];
  let chain: Chain | undefined;
  let stack: ChaosStack | undefined;
  const grounds: Grounds = {
    async chain() {
      chain ??= await openChain(redis);
      return chain;
    },
    async stack() {
      stack ??= await openChaosStack({ ...redis, modelsDir: options.modelsDir });
      return stack;
    },
    async discard(ground) {
      if (ground === 'chain') {
        const old = chain;
        chain = undefined;
        await old?.stop();
      } else if (ground === 'stack') {
        const old = stack;
        stack = undefined;
        await old?.stop();
      }
    },
  };

  let lastGround = chosen[0]?.ground;
  try {
    for (const scenario of chosen) {
      // Two cores: what is not needed any more is stopped.
      if (lastGround !== undefined && lastGround !== scenario.ground) await grounds.discard(lastGround);
      lastGround = scenario.ground;
      const share = shareOf(scenario, all, jobs);
      const own = jobsOf(scenario, all, jobs);
      if (own > share) note(`${scenario.name} needs at least ${own} jobs; its share of ${jobs} is ${share}`);
      const since = performance.now();
      let outcome: Outcome | Error;
      try {
        const { modelsDir } = options;
        const context = { jobs: own, totalJobs: jobs, modelsDir, note, ...redis };
        outcome = await scenario.run(context, grounds);
      } catch (error) {
        outcome = error instanceof Error ? error : new Error(String(error));
      }
      const row = rowOf(scenario, outcome, performance.now() - since);
      rows.push(row);
      if (!(outcome instanceof Error)) redeliveries.push(...outcome.figures.redeliveries_ms);
      note(progressLine(row));
      if (!row.ok) await grounds.discard(scenario.ground);
    }
  } finally {
    await grounds.discard('chain');
    await grounds.discard('stack');
  }
  return reportOf(rows, {
    redeliveries,
    ms: performance.now() - begun,
    isWhole: chosen.length === all.length,
  });
}

function progressLine(row: ScenarioRow): string {
  const red = row.checks.filter(({ ok }) => !ok).map(({ what, seen }) => `${what} (${seen})`);
  const told = row.ok ? `${row.jobs} jobs` : [row.error ?? '', ...red].filter(Boolean).join('; ');
  return `${row.ok ? 'held  ' : 'BROKEN'} ${row.name}, ${row.seconds} s: ${told}`;
}
