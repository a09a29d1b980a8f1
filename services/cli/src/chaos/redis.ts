import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createSubmitter } from '@vortex/queue';
import type { Chain } from './chain.ts';
import { failOverAndBack } from './failover.ts';
import { runWhileFull } from './full-redis.ts';
import type { Load } from './load.ts';
import { onChain, seconds } from './on-chain.ts';
import { type Check, check, type Scenario } from './scenario.ts';
import { pause, within } from './within.ts';

/** Redis itself dies, forgets, fills up, pauses, moves. */
export const redisScenarios: readonly Scenario[] = [
  onChain({
    name: 'redis-restart-aof',
    family: 'redis',
    holds:
      'Redis is killed and comes back with its append-only file, after a second and after longer than any blocking call waits',
    share: 5,
    seconds: 28,
    forgetsCompletions: true,
    async disturb(chain) {
      let inFlight = 0;
      for (const downMs of [1_000, 8_000]) {
        await pause(3_000);
        inFlight += await jobsInFlight(chain);
        await chain.redis.kill();
        await pause(downMs);
        await chain.redis.start();
        await pause(4_000);
      }
      return { hits: inFlight, own: { jobs_in_flight: inFlight } };
    },
  }),
  onChain({
    name: 'redis-restart-empty',
    family: 'redis',
    holds: 'Redis is killed and comes back with nothing: who waits submits again, and every job ends',
    share: 4,
    seconds: 22,
    query: () => 'work=45',
    forgetsCompletions: true,
    async disturb(chain) {
      let inFlight = 0;
      for (let round = 0; round < 2; round += 1) {
        await pause(3_000);
        inFlight += await jobsInFlight(chain);
        await chain.redis.kill();
        for (const entry of readdirSync(chain.redis.folder)) {
          rmSync(join(chain.redis.folder, entry), { recursive: true });
        }
        await pause(1_000);
        await chain.redis.start();
        await pause(4_000);
      }
      return { hits: inFlight, own: { jobs_in_flight: inFlight } };
    },
  }),
  onChain({
    name: 'client-kill',
    family: 'redis',
    holds:
      'CLIENT KILL of all ordinary and subscribed clients, again and again: everybody comes back, nothing runs twice',
    share: 6,
    seconds: 18,
    neverTwice: true,
    async disturb(chain) {
      let killed = 0;
      for (let round = 0; round < 15; round += 1) {
        await pause(1_000);
        for (const type of ['normal', 'pubsub'] as const) {
          killed += Number(await chain.direct.call('CLIENT', 'KILL', 'TYPE', type));
        }
      }
      return { checks: [check('clients were killed', killed > 50, killed)], own: { killed } };
    },
  }),
  onChain({
    name: 'client-pause',
    family: 'redis',
    holds: 'CLIENT PAUSE 5000 ALL, twice: below the lease, so no work changes hands',
    share: 4,
    seconds: 24,
    neverTwice: true,
    async disturb(chain) {
      for (let round = 0; round < 2; round += 1) {
        await pause(2_000);
        await chain.direct.call('CLIENT', 'PAUSE', '5000', 'ALL');
        await pause(8_000);
      }
      return {};
    },
  }),
  onChain({
    name: 'script-flush',
    family: 'redis',
    holds: 'SCRIPT FLUSH ten times a second: scripts are loaded again by who needs them',
    share: 8,
    seconds: 12,
    neverTwice: true,
    async disturb(chain, load) {
      let flushed = 0;
      while (load.submitted() < load.jobs) {
        await chain.direct.script('FLUSH');
        flushed += 1;
        await pause(100);
      }
      return { hits: flushed, own: { flushed } };
    },
  }),
  onChain({
    name: 'flushall',
    family: 'redis',
    holds: 'FLUSHALL, three times: who waits submits again, and every job ends',
    share: 5,
    seconds: 24,
    query: () => 'work=45',
    forgetsCompletions: true,
    async disturb(chain) {
      let wiped = 0;
      for (let round = 0; round < 3; round += 1) {
        await pause(4_000);
        wiped += await wipeInFlight(chain);
      }
      return { hits: wiped, own: { jobs_wiped: wiped } };
    },
  }),
  onChain({
    name: 'maxmemory',
    family: 'redis',
    holds:
      'Redis stays full: new work is refused, every question that was admitted ends meanwhile, and service returns by itself with the memory',
    share: 4,
    seconds: 20,
    neverTwice: true,
    disturb: runWhileFull,
  }),
  onChain({
    name: 'redis-down-at-boot',
    family: 'redis',
    holds:
      'workers and a submitter start while Redis is down: they wait, refuse within a second, and work when it is there',
    share: 2,
    seconds: 24,
    forgetsCompletions: true,
    disturb: bootWithoutRedis,
  }),
  onChain({
    name: 'failover',
    family: 'redis',
    holds:
      'the primary turns read-only, a replica is promoted and connections move to it, and back: nothing is lost',
    share: 5,
    seconds: 26,
    query: () => 'work=45',
    forgetsCompletions: true,
    disturb: failOverAndBack,
  }),
];

/** Waits until the fault would meet somebody: how many jobs are in flight then; 0 after ten seconds without. */
async function jobsInFlight({ direct }: Chain): Promise<number> {
  let live = 0;
  await within(
    10_000,
    'a job is in flight',
    async () => {
      live = await direct.zcard('job:live');
      return live > 0;
    },
    1,
  ).catch(() => undefined);
  return live;
}

/** Counted and wiped in one step: between two a job may end. */
async function wipeInFlight(chain: Chain): Promise<number> {
  await jobsInFlight(chain);
  const [counted] = (await chain.direct.multi().zcard('job:live').flushall().exec()) ?? [];
  return Number(counted?.[1] ?? 0);
}

async function bootWithoutRedis(
  chain: Chain,
  load: Load,
): Promise<{ checks: Check[]; own: Record<string, number> }> {
  await pause(2_000);
  await chain.redis.kill();
  await chain.goAway();
  chain.comeBack();
  const fresh = createSubmitter({ redis: { url: chain.gatewayWire.url }, name: `chaos-boot-${process.pid}` });
  try {
    await fresh.start();
    await pause(6_000);
    const readyWithout =
      chain.workers().filter((worker) => worker.isReady()).length + (fresh.isReady() ? 1 : 0);
    const begun = performance.now();
    const refused = await fresh
      .enqueue({
        list: 'job:encoder_in',
        lane: 'interactive',
        id: 'chaos-boot',
        deadlineAt: Date.now() + 1_000,
        envelope: { query: 'work=1' },
        cap: 10_000,
      })
      .then(
        () => false,
        () => true,
      );
    const refusedMs = performance.now() - begun;
    await chain.redis.start();
    const readyMs = await within(30_000, 'all are ready', () => {
      return fresh.isReady() && chain.workers().every((worker) => worker.isReady());
    });
    return {
      checks: [
        check('nobody says that it is ready without Redis', readyWithout === 0, readyWithout),
        check(
          'a job was refused within a second',
          refused && refusedMs < 1_000,
          `${Math.round(refusedMs)} ms`,
        ),
        check(
          'refusals came within a second',
          load.slowestRefusalMs() < 1_100,
          `${Math.round(load.slowestRefusalMs())} ms`,
        ),
      ],
      own: { ready_after_s: seconds(readyMs) },
    };
  } finally {
    await fresh.close();
  }
}
