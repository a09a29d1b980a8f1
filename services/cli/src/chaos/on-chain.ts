import type { Chain } from './chain.ts';
import { countRuns, percentileOrNull, redeliveryDelays } from './ledger.ts';
import { type Load, startLoad } from './load.ts';
import { type Check, check, type Family, type Outcome, type Scenario } from './scenario.ts';
import { isClean, leftoverChecks, readLeftovers } from './verify.ts';
import { within } from './within.ts';

/**
 * A scenario on the light chain. The same frame for all: a clean chain is proven, jobs arrive, the fault strikes
 * among them and is healed, everything ends, and what is left in Redis is read.
 */
export interface ChainScenario {
  name: string;
  family: Family;
  holds: string;
  share: number;
  /** Time in which the jobs arrive; a shortened run keeps it, because leases do not get shorter. */
  seconds: number;
  /** Work in the load's form (load.ts), by a job's number and how many there are. */
  query?: (number: number, jobs: number) => string;
  leastJobs?: number;
  deadlineMs?: number;
  /** Strikes and heals. Returns what it checked by itself, what it counted, and how often the fault met something. */
  disturb(
    chain: Chain,
    load: Load,
  ): Promise<{ checks?: Check[]; own?: Record<string, number | string>; hits?: number }>;
  /** How many jobs are meant to end in a dead letter. */
  dead?: number;
  /** No stage may be run twice: nothing here takes a lease away or wipes Redis. */
  neverTwice?: boolean;
  /** Redis forgets completions, so that one may be written again. */
  forgetsCompletions?: boolean;
  /** Which jobs complete; absent: all of them. */
  completes?: (number: number, jobs: number) => boolean;
}

/** One or two a second: below it the chain is at rest most of the time, and a fault strikes nobody. */
const leastForAll = 60;

/** After the last job a frozen or killed worker's lease has to lapse (10 s) and the orphan round to come by (30 s). */
const cleanWithinMs = 60_000;

export function onChain(scenario: ChainScenario): Scenario {
  const { name, family, holds, share, query = shortWork, leastJobs = leastForAll } = scenario;
  return {
    name,
    family,
    holds,
    share,
    leastJobs,
    ground: 'chain',
    async run({ jobs }, grounds): Promise<Outcome> {
      const chain = await grounds.chain();
      await onceClean(chain);
      const prefix = chain.newPage();
      await forgetDeadLetters(chain);
      const load = startLoad(chain, prefix, {
        jobs,
        overMs: scenario.seconds * 1000,
        query: (number) => query(number, jobs),
        ...(scenario.deadlineMs !== undefined && { deadlineMs: scenario.deadlineMs }),
      });
      let disturbed: Awaited<ReturnType<ChainScenario['disturb']>> = {};
      // A disturbance may wait for jobs to end, and a job that never does is what is looked for.
      const impatience = setTimeout(() => load.abandon(), scenario.seconds * 1000 + patienceMs);
      try {
        disturbed = await scenario.disturb(chain, load);
      } finally {
        clearTimeout(impatience);
        chain.workerWire.heal();
        chain.gatewayWire.heal();
      }
      const endedInTime = await endOf(load);
      if (!endedInTime) load.abandon();
      const cleanMs = await onceClean(chain).catch(() => null);
      const checks = await judge(chain, scenario, load, prefix, endedInTime);
      checks.push(...(disturbed.checks ?? []));
      if (disturbed.hits !== undefined) {
        checks.push(check('the fault met something', disturbed.hits > 0, disturbed.hits));
      }
      const figures = await figuresOf(chain, load);
      Object.assign(figures.own, disturbed.own, {
        clean_after_s: cleanMs === null ? 'never' : seconds(cleanMs),
      });
      return { checks, figures };
    },
  };
}

/** Longer than a deadline: when it has passed, a job without an end is one that will never have one. */
const patienceMs = 150_000;

async function endOf(load: Load): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), patienceMs);
  });
  try {
    return await Promise.race([load.done.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

const shortWork = (number: number) => `work=${5 + (number % 11)}`;

const pidsOf = (chain: Chain) => chain.workers().map((worker) => worker.pid());

/** @throws when the chain does not come to rest: a scenario must not be blamed for what the one before left. */
async function onceClean(chain: Chain): Promise<number> {
  await chain.onceReady();
  return within(
    cleanWithinMs,
    'the chain is ready and at rest',
    async () => isClean(await readLeftovers(chain.direct, pidsOf(chain))),
    200,
  );
}

async function forgetDeadLetters(chain: Chain): Promise<void> {
  const found = [...(await chain.direct.keys('*:dead')), ...(await chain.direct.keys('dead:size:*'))];
  if (found.length > 0) await chain.direct.del(...found);
}

async function judge(
  chain: Chain,
  scenario: ChainScenario,
  load: Load,
  prefix: string,
  endedInTime: boolean,
): Promise<Check[]> {
  const ended = load.ends();
  const meant = (number: number) => scenario.completes?.(number, load.jobs) ?? true;
  const wrong = Array.from({ length: load.jobs }, (_, number) => number).filter((number) => {
    const end = ended.get(`${prefix}${number}`);
    return end !== undefined && (end.status === 'completed') !== meant(number);
  });
  const counts = countRuns(chain.ledger());
  const shown = wrong.slice(0, 3).map((number) => ended.get(`${prefix}${number}`)?.text.slice(0, 200));
  const twice = chain.witness.writtenTwice();
  const checks = [
    check('every admitted job has ended', endedInTime, `${ended.size} of ${load.jobs}`),
    check('each ended as it should', wrong.length === 0, wrong.length === 0 ? 'yes' : shown.join(' | ')),
    ...leftoverChecks(await readLeftovers(chain.direct, pidsOf(chain)), scenario.dead ?? 0),
  ];
  if (scenario.forgetsCompletions !== true) {
    checks.push(
      check('no completion was written twice', twice.length === 0, twice.slice(0, 5).join(' ') || 'none'),
    );
  }
  if (scenario.neverTwice) {
    checks.push(
      check('no stage ran twice', counts.repeated === 0, `${counts.repeated} of ${counts.runs} runs`),
    );
  }
  return checks;
}

async function figuresOf(chain: Chain, load: Load): Promise<Outcome['figures']> {
  const entries = chain.ledger();
  const { runs, repeated, finishedTwice } = countRuns(entries);
  const redeliveries = redeliveryDelays(entries, chain.kills());
  const latencies = load.latenciesMs().filter((ms) => ms > 0);
  return {
    jobs: load.jobs,
    lost: load.jobs - load.ended(),
    runs,
    repeated,
    redeliveries_ms: redeliveries,
    p50_ms: percentileOrNull(latencies, 50),
    p95_ms: percentileOrNull(latencies, 95),
    p99_ms: percentileOrNull(latencies, 99),
    own: { finished_twice: finishedTwice, refused_then_taken: load.refusals() },
  };
}

export const seconds = (ms: number) => Math.round(ms / 100) / 10;
