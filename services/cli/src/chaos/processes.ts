import type { Chain, ChainWorker } from './chain.ts';
import { chainStages } from './chain.ts';
import { countRuns } from './ledger.ts';
import { onChain } from './on-chain.ts';
import { check, type Scenario } from './scenario.ts';
import { pause, within } from './within.ts';

/** Workers are killed, frozen and hung. */
const longWork = (number: number) => `work=${60 + (number % 7) * 15}`;

export const processScenarios: readonly Scenario[] = [
  onChain({
    name: 'kill-each-stage',
    family: 'processes',
    holds: 'SIGKILL of a worker with a job in hand: the job is redelivered, and ends once',
    share: 12,
    seconds: 36,
    query: longWork,
    async disturb(chain, load) {
      let inHand = 0;
      for (let round = 0; round < 4; round += 1) {
        for (const stage of chainStages) {
          await pause(2_000);
          if (load.ended() === load.jobs) break;
          const victim = await busyWorker(chain, chain.workers(stage));
          const pid = victim.pid();
          await victim.kill();
          inHand += await jobsInHand(chain, pid);
        }
      }
      return { hits: inHand, own: { kills: chain.kills().length, jobs_in_hand: inHand } };
    },
  }),
  onChain({
    name: 'kill-all-workers',
    family: 'processes',
    holds: 'SIGKILL of every worker at once: the new ones find and finish what the dead had',
    share: 5,
    seconds: 34,
    query: longWork,
    async disturb(chain) {
      let inHand = 0;
      for (let round = 0; round < 2; round += 1) {
        await pause(3_000);
        await busyWorker(chain, chain.workers());
        // Not counted before: a job in hand may end while its worker is looked at, and a dead worker's does not.
        const dying = chain.workers();
        const pids = dying.map((worker) => worker.pid());
        await Promise.all(dying.map((worker) => worker.kill()));
        for (const pid of pids) inHand += await jobsInHand(chain, pid);
        // Beyond the lease: what came back has ended before it could be hit again.
        await pause(14_000);
      }
      return { hits: inHand, own: { kills: chain.kills().length, jobs_in_hand: inHand } };
    },
  }),
  onChain({
    name: 'freeze-and-thaw',
    family: 'processes',
    holds:
      'SIGSTOP beyond the lease, then SIGCONT: others take over, and what the frozen ones finish late is dropped',
    share: 5,
    seconds: 24,
    query: longWork,
    async disturb(chain) {
      await pause(2_000);
      const struck = await Promise.all(chainStages.map((stage) => freezeBusy(chain, chain.workers(stage))));
      const frozen = struck.map(({ worker }) => worker);
      await within(30_000, 'the frozen ones’ jobs were taken from them', async () => {
        const held = await Promise.all(frozen.map((worker) => jobsInHand(chain, worker.pid())));
        return held.every((count) => count === 0);
      });
      await pause(1_000);
      for (const worker of frozen) worker.thaw();
      const inHand = struck.reduce((sum, { held }) => sum + held, 0);
      return { hits: inHand, own: { frozen: frozen.length, jobs_in_hand: inHand } };
    },
  }),
  onChain({
    name: 'blocked-event-loop',
    family: 'processes',
    holds:
      'a main loop that computes for 15 s keeps its lease; one that hangs beyond the limit loses it, and its late output is dropped',
    share: 3,
    seconds: 40,
    query(number, jobs) {
      if (number === 0) return 'block@retrieve=15000';
      return number === hungJob(jobs) ? 'hang@encode=20000' : `work=${5 + (number % 11)}`;
    },
    async disturb(chain, load) {
      // A limit of four seconds instead of sixty, so that a hang is one soon.
      await chain.remake('encode', { stuckMs: 4_000 });
      await within(60_000, 'the hung job was run by another worker', () => {
        return (
          chain
            .ledger()
            .filter(
              ({ id, stage, event }) =>
                isJob(id, hungJob(load.jobs)) && stage === 'encode' && event === 'begin',
            ).length > 1
        );
      });
      const blocked = chain.ledger().filter(({ id }) => isJob(id, 0));
      await pause(14_000);
      await chain.remake('encode');
      return {
        checks: [
          check(
            'the job that computed ran once in each stage',
            blocked.length > 0 && countRuns(blocked).repeated === 0,
            `${blocked.length} entries`,
          ),
        ],
      };
    },
  }),
];

/** Arrives after ten of the forty seconds, once the workers of the stage have been remade. */
export const hungJob = (jobs: number) => Math.floor(jobs / 4);
const isJob = (id: string, number: number) => id.endsWith(`.${number}`);

async function jobsInHand(chain: Chain, pid: number): Promise<number> {
  const lists = await chain.direct.keys(`*:proc:*-${pid}-*`);
  const lengths = await Promise.all(lists.map((list) => chain.direct.llen(list)));
  return lengths.reduce((sum, length) => sum + length, 0);
}

/** Stopped with work in hand: one that has finished in the moment before is let go, and the next is looked for. */
async function freezeBusy(
  chain: Chain,
  workers: readonly ChainWorker[],
): Promise<{ worker: ChainWorker; held: number }> {
  for (let tries = 0; ; tries += 1) {
    const worker = await busyWorker(chain, workers);
    worker.freeze();
    const held = await jobsInHand(chain, worker.pid());
    if (held > 0 || tries === 20) return { worker, held };
    worker.thaw();
  }
}

/** One with a job in hand, for a kill that hits nobody proves nothing; after two seconds without, any that is ready. */
async function busyWorker(chain: Chain, workers: readonly ChainWorker[]): Promise<ChainWorker> {
  let found = workers.find((worker) => worker.isReady()) ?? workers[0];
  await within(
    2_000,
    'a worker has a job in hand',
    async () => {
      for (const worker of workers) {
        if ((await jobsInHand(chain, worker.pid())) === 0) continue;
        found = worker;
        return true;
      }
      return false;
    },
    1,
  ).catch(() => undefined);
  if (found === undefined) throw new Error('the stage has no worker');
  return found;
}
