import { rollingRestart } from './code.ts';
import { percentileOrNull } from './ledger.ts';
import { type MixedLoad, type MixedOutcome, startMixedLoad } from './mixed-load.ts';
import { seconds } from './on-chain.ts';
import { type Check, check, type Outcome, type Scenario, type ScenarioContext } from './scenario.ts';
import type { ChaosStack } from './stack.ts';
import { isClean, leftoverChecks, readLeftovers } from './verify.ts';
import { pause, within } from './within.ts';

/** Faults of a whole instance, asked over HTTP. */
interface StackScenario {
  name: string;
  holds: string;
  family: Scenario['family'];
  clients: number;
  disturb(stack: ChaosStack, load: MixedLoad, context: ScenarioContext): Promise<Disturbed>;
  judge(outcome: MixedOutcome, own: Record<string, number>): Check[];
}

interface Disturbed {
  own: Record<string, number>;
}

const restartOfServices = onStack({
  name: 'rolling-restart',
  family: 'code',
  holds: 'SIGTERM of every service but the gateway in turn, under questions: no request fails',
  clients: 8,
  disturb: restartEach,
  judge: (outcome) => [
    check(
      'no request failed',
      outcome.wrong.length +
        outcome.refused +
        outcome.broken +
        outcome.modelFailed +
        outcome.cutStreams +
        outcome.unanswered.length ===
        0,
      [`${outcome.refused} refused, ${outcome.broken} broken`, ...outcome.wrong.slice(0, 3)].join(' | '),
    ),
  ],
});

export const instanceScenarios: readonly Scenario[] = [
  onStack({
    name: 'random-killer',
    family: 'processes',
    holds:
      'SIGKILL and SIGSTOP of random processes and cuts of random Redis connections under 30 concurrent questions and uploads: each is answered, or told 503 or 504',
    clients: 30,
    disturb: killAtRandom,
    judge: (outcome, own) => [
      check(
        'each request was answered in the end',
        outcome.unanswered.length === 0,
        outcome.unanswered.slice(0, 5).join(', ') || outcome.answered,
      ),
      check(
        'what was not an answer was a clear 503 or 504',
        outcome.wrong.length === 0,
        outcome.wrong.slice(0, 3).join(' | ') || 'yes',
      ),
      check(
        'a connection broke only where the gateway was struck',
        outcome.broken === 0 || (own.gateway_struck ?? 0) > 0,
        outcome.broken,
      ),
      check(
        'nobody was told 502: a model server that is started again is waited for',
        outcome.modelFailed === 0,
        outcome.modelFailed,
      ),
      check(
        'a stream was cut only where the model server was struck',
        outcome.cutStreams === 0 || (own.model_struck ?? 0) > 0,
        outcome.cutStreams,
      ),
    ],
  }),
  {
    name: 'rolling-restart',
    family: 'code',
    ground: 'stack',
    holds:
      'every worker in turn is told to stop and started again: exit code 0, nothing redelivered, no request fails; first on the light chain, then with a whole instance',
    share: rollingRestart.share,
    async run(context, grounds) {
      const onChain = await rollingRestart.run(context, grounds);
      await grounds.discard('chain');
      return bothOf(onChain, await restartOfServices.run(context, grounds));
    },
  },
];

/** Two parts of one scenario: both must hold, and what was counted on the chain stands for the queue. */
function bothOf(chain: Outcome, stack: Outcome): Outcome {
  const { jobs, lost, own } = stack.figures;
  return {
    checks: [...chain.checks, ...stack.checks],
    figures: {
      ...chain.figures,
      jobs: chain.figures.jobs + jobs,
      lost: chain.figures.lost + lost,
      own: { ...chain.figures.own, requests: jobs, ...own },
    },
  };
}

function onStack(scenario: StackScenario): Scenario {
  const { name, holds, family, clients } = scenario;
  return {
    name,
    holds,
    family,
    ground: 'stack',
    share: 0,
    async run(context, grounds): Promise<Outcome> {
      const stack = await grounds.stack();
      await stack.onceReady();
      await onceClean(stack);
      const load = startMixedLoad({ url: stack.url, clients });
      let outcome: MixedOutcome;
      let disturbed: Disturbed = { own: {} };
      try {
        disturbed = await scenario.disturb(stack, load, context);
      } finally {
        stack.wire.heal();
        outcome = await load.finish();
      }
      await stack.onceReady();
      const cleanMs = await onceClean(stack).catch(() => null);
      const audit = await stack.audit();
      const checks = [
        ...scenario.judge(outcome, disturbed.own),
        check(
          'every accepted document became ready',
          outcome.unfinished.length === 0,
          outcome.unfinished.slice(0, 3).join(' | ') || outcome.uploads,
        ),
        ...leftoverChecks(await readLeftovers(stack.direct, await pidsOf(stack)), null),
        check('the audit of documents is clean', audit.clean, audit.clean ? 'yes' : audit.text.slice(0, 400)),
      ];
      return {
        checks,
        figures: {
          jobs: outcome.answered,
          lost: outcome.unanswered.length + outcome.unfinished.length,
          runs: null,
          repeated: null,
          redeliveries_ms: [],
          p50_ms: percentileOrNull(outcome.latenciesMs, 50),
          p95_ms: percentileOrNull(outcome.latenciesMs, 95),
          p99_ms: percentileOrNull(outcome.latenciesMs, 99),
          own: {
            uploads: outcome.uploads,
            refused: outcome.refused,
            broken_connections: outcome.broken,
            model_away_502: outcome.modelFailed,
            cut_streams: outcome.cutStreams,
            ...disturbed.own,
            clean_after_s: cleanMs === null ? 'never' : seconds(cleanMs),
          },
        },
      };
    },
  };
}

const pidsOf = async (stack: ChaosStack) => (await stack.services()).map(({ pid }) => pid);

const onceClean = (stack: ChaosStack) =>
  within(
    60_000,
    'the instance is at rest',
    async () => isClean(await readLeftovers(stack.direct, await pidsOf(stack))),
    500,
  );

/** The whole run of five minutes is 10,000 jobs' worth; a shortened one is shorter in proportion. */
const killSeconds = (jobs: number) => Math.max(20, Math.min(300, Math.round((jobs / 10_000) * 300)));

async function killAtRandom(
  stack: ChaosStack,
  _load: MixedLoad,
  { totalJobs }: ScenarioContext,
): Promise<Disturbed> {
  const own = { killed: 0, frozen: 0, cut: 0, gateway_struck: 0, model_struck: 0 };
  const thaws: Promise<void>[] = [];
  const seconds = killSeconds(totalJobs);
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    await pause(1_000 + Math.random() * 2_500);
    const dice = Math.random();
    const services = await stack.services();
    const victim = services[Math.floor(Math.random() * services.length)];
    if (dice < 0.6 && victim !== undefined) {
      if (victim.name === 'gateway') own.gateway_struck += 1;
      if (victim.name === 'mock-llm') own.model_struck += 1;
    }
    if (dice < 0.4 && victim !== undefined) {
      strike(victim.pid, 'SIGKILL');
      own.killed += 1;
    } else if (dice < 0.6 && victim !== undefined) {
      strike(victim.pid, 'SIGSTOP');
      own.frozen += 1;
      thaws.push(pause(1_000 + Math.random() * 14_000).then(() => strike(victim.pid, 'SIGCONT')));
    } else {
      for (const connection of stack.wire.connections()) {
        if (Math.random() > 0.2) continue;
        connection.cut();
        own.cut += 1;
      }
    }
  }
  await Promise.all(thaws);
  return { own: { ...own, seconds } };
}

/** Who has died meanwhile needs no signal. */
function strike(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone.
  }
}

async function restartEach(stack: ChaosStack): Promise<Disturbed> {
  const names = ['encoder', 'retriever', 'llm-generator', 'ingest'];
  let restarted = 0;
  for (const { name, pid } of await stack.services()) {
    if (!names.includes(name)) continue;
    process.kill(pid, 'SIGTERM');
    restarted += 1;
    await within(30_000, `${name} has stopped`, async () => !(await pidsOf(stack)).includes(pid));
    await stack.onceReady();
    await pause(500);
  }
  return { own: { restarted } };
}
