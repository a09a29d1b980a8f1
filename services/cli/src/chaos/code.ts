import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { repositoryRoot } from '../folders.ts';
import { chainStages } from './chain.ts';
import { countRuns } from './ledger.ts';
import { readEnd } from './load.ts';
import { onChain } from './on-chain.ts';
import { check, type Figures, type Scenario, type ScenarioContext } from './scenario.ts';
import { pause, within } from './within.ts';

/** Clocks, deploys, and what is enumerated or drawn at random about the code itself. */
export const codeScenarios: readonly Scenario[] = [
  onChain({
    name: 'clock-step',
    family: 'code',
    holds:
      'the wall clock of half the workers is an hour ahead, then an hour behind: nothing expires, nothing moves',
    share: 4,
    seconds: 36,
    neverTwice: true,
    async disturb(chain, load) {
      for (const shiftMs of [3_600_000, -3_600_000]) {
        for (const stage of chainStages) await chain.remake(stage, { secondClockShiftMs: shiftMs });
        const before = load.ended();
        await within(
          30_000,
          'jobs end with clocks that differ',
          () => load.ended() > before + 10 || load.ended() === load.jobs,
        );
        await pause(4_000);
      }
      for (const stage of chainStages) await chain.remake(stage);
      return {};
    },
  }),
  onChain({
    name: 'two-versions',
    family: 'code',
    holds:
      'half the workers write fields the others do not know: nothing changes; an envelope of a version that nobody reads is answered as such',
    share: 4,
    seconds: 24,
    neverTwice: true,
    dead: 10,
    async disturb(chain, load) {
      const { direct } = chain;
      for (const stage of ['encode', 'retrieve'] as const)
        await chain.remake(stage, { secondWritesNews: true });
      const ids = (kind: string) =>
        Array.from({ length: 10 }, (_, number) => `${load.prefix}${kind}-${number}`);
      for (const id of ids('newer')) {
        const more = { answer_style: 'brief', hints: { beam: 4 }, flags: [1, 2] };
        await direct.rpush('job:encoder_in', JSON.stringify({ id, query: 'work=5', ...more }));
      }
      // An older gateway wrote no version, no times and no tenant.
      for (const id of ids('older'))
        await direct.rpush('job:encoder_in', JSON.stringify({ id, query: 'work=5' }));
      for (const id of ids('unread')) {
        await direct.rpush('job:encoder_in', JSON.stringify({ id, v: 2, query: 'work=5' }));
      }
      const endsOf = async (kind: string) => {
        const texts = await direct.mget(ids(kind).map((id) => `job:completion:${id}`));
        return texts.filter((text) => text !== null).map(readEnd);
      };
      const all = async () => Promise.all([endsOf('newer'), endsOf('older'), endsOf('unread')]);
      await within(30_000, 'all of them have ended', async () => (await all()).flat().length === 30);
      const [newer, older, unread] = await all();
      await pause(8_000);
      for (const stage of ['encode', 'retrieve'] as const) await chain.remake(stage);
      const good = [...newer, ...older].filter(({ status }) => status === 'completed').length;
      const told = unread.filter(({ code }) => code === 'unsupported_version').length;
      return {
        checks: [
          check('envelopes of a newer and an older writer are done', good === 20, `${good} of 20`),
          check('a version that nobody reads is answered as such', told === 10, `${told} of 10`),
        ],
      };
    },
  }),
];

/** The light chain's part; the other is a whole instance's (instance.ts). */
export const rollingRestart = onChain({
  name: 'rolling-restart',
  family: 'code',
  holds:
    'every worker in turn is told to stop and started again, twice over: exit code 0, nothing redelivered, nothing refused',
  share: 8,
  seconds: 36,
  query: (number) => `work=${60 + (number % 7) * 15}`,
  neverTwice: true,
  async disturb(chain, load) {
    const codes: (number | null)[] = [];
    for (let round = 0; round < 2; round += 1) {
      for (const worker of chain.workers()) {
        codes.push(await worker.restart());
        await within(20_000, `${worker.name} is back`, () => worker.isReady());
      }
    }
    const rerun = countRuns(chain.ledger()).repeated;
    return {
      checks: [
        check(
          'every worker ended with exit code 0',
          codes.every((code) => code === 0),
          codes.join(' '),
        ),
        check('no job was refused', load.refusals() === 0, load.refusals()),
        check('no job was redelivered', rerun === 0, rerun),
      ],
      own: { restarts: codes.length },
    };
  },
});

export const driverScenarios: readonly Scenario[] = [
  driver({
    name: 'interleavings',
    holds: 'after every step of random interleavings of all queue scripts an id is in exactly one place',
    file: 'libs/queue/test/interleaving.redis.test.ts',
    // Three thousand with the usual ten thousand jobs.
    environment: ({ totalJobs }) => ({
      VORTEX_INTERLEAVING_SEEDS: String(Math.max(250, Math.round(totalJobs * 0.3))),
    }),
  }),
  driver({
    name: 'crash-points',
    holds: 'a worker that is killed before or after any Redis call of any verb loses nothing',
    file: 'libs/runtime/test/crash-points.redis.test.ts',
    environment: () => ({ VORTEX_CRASH_POINTS: 'all' }),
  }),
];

interface Driver {
  name: string;
  holds: string;
  file: string;
  environment: (context: ScenarioContext) => Record<string, string>;
}

/** A test file of the repository, run with more seeds than `vortex test` gives it. */
function driver({ name, holds, file, environment }: Driver): Scenario {
  return {
    name,
    family: 'code',
    ground: 'drivers',
    holds,
    share: 0,
    async run(context) {
      const { code, output } = await runTestFile(file, environment(context));
      const passed = Number(/Tests\s+.*?(\d+) passed/.exec(output)?.[1] ?? 0);
      const failed = output
        .split('\n')
        .filter((line) => /FAIL|Error|seed/.test(line))
        .slice(0, 8);
      return {
        checks: [
          check(
            `${file} passes`,
            code === 0 && passed > 0,
            code === 0 ? `${passed} passed` : failed.join(' | '),
          ),
        ],
        figures: { ...noFigures, own: { tests_passed: passed } },
      };
    },
  };
}

const noFigures: Figures = {
  jobs: 0,
  lost: 0,
  runs: null,
  repeated: null,
  redeliveries_ms: [],
  p50_ms: null,
  p95_ms: null,
  p99_ms: null,
  own: {},
};

function runTestFile(file: string, more: Record<string, string>): Promise<{ code: number; output: string }> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [vitest, 'run', '--project', 'redis', file], {
      cwd: repositoryRoot,
      env: { ...process.env, ...more, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (piece: string) => {
        output += piece;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, output }));
  });
}
