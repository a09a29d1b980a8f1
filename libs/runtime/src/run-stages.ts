import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { batchListOf, batchSlots, type StageName, stageNames, stages } from '@vortex/contracts';
import { countCare, type Logger, type Metrics, noTracing, type Tracing } from '@vortex/observability';
import {
  type Consumer,
  checkRedis,
  connect,
  createCancelFeed,
  createConsumer,
  createRedisObserver,
  defaultBeatMs,
  defaultLeaseMs,
  keys,
  type RedisOptions,
  runScript,
  startBeat,
  startCaretaker,
  workerId,
  workerMember,
} from '@vortex/queue';
import { createGeneratorReplica } from './generator-replica.ts';
import { createIsolation } from './isolation.ts';
import type { JobSource } from './job-source.ts';
import { beginCounting, createJobTally } from './job-tally.ts';
import type { ReplicaHealth } from './replica-health.ts';
import type { LaneOf, NoteExplained } from './stage-handler.ts';
import { createStageLane, type StageLane } from './stage-lane.ts';

export interface RunStagesOptions {
  service: string;
  /** WORKER_NAME: for generators also the name of their own list. */
  workerName: string;
  redis: RedisOptions;
  log: Logger;
  metrics: Metrics;
  /** Off when absent. */
  tracing?: Tracing;
  /** A handler and its number of slots per stage; slots of one lane are never taken by another. */
  lanes: { [Stage in StageName]?: LaneOf<Stage> };
  /** Generators only: the replica's own address (where /healthz answers) and how much it takes at once. */
  replica?: { url: string; slots: number; health?: ReplicaHealth };
  /** Where queries' stages and ends are written down, for who asks later. */
  explain?: NoteExplained;
  /** On stop: how long running jobs may take before they are given back. Below the orchestrator's grace period. */
  drainBudgetMs: number;
  leaseMs?: number;
  beatMs?: number;
  /** A main loop that has not turned for this long loses the lease; 60 s unless a test wants less. */
  stuckMs?: number;
  /** Interval of the caretaker (reaper, sweepers); 0 switches it off. */
  caretakerMs?: number;
}

export interface RunningStages {
  /** Ready when every source has proven that it consumes and a beat has been accepted; PING proves neither. */
  readiness(): { ready: boolean; reasons: string[] };
  onceReady(): Promise<void>;
  /** Drains and stops; safe to call twice. */
  stop(): Promise<void>;
  /** What the drain waits for is given back now. */
  hurry(): void;
}

/** A drain, a resume and the pace of the others are known after this; a failure is told at once. */
const reportMs = 1000;

/**
 * How long each step of a stop may wait for a Redis that does not answer. There are five beside the drain itself and
 * the end of the beat thread (half a second), and all of them end within the 6 s that the launcher allows above the
 * drain budget.
 */
const stepMs = 1000;

/**
 * Lives the stages of one process: connects, claims, runs, settles, beats, and in the end drains.
 *
 * States: starting (Redis may be away; it is waited for) → running → draining (no claims; running jobs
 * finish within the budget, the rest is given back unblamed) → stopped. Releases are pushed as things are
 * acquired and run in reverse. One piece: what is started above is stopped below, in sight of each other.
 */
export async function runStages(options: RunStagesOptions): Promise<RunningStages> {
  const { log, metrics, workerName, leaseMs = defaultLeaseMs, beatMs = defaultBeatMs } = options;
  const wid = workerId(workerName, hostname(), process.pid, randomBytes(4).toString('hex'));
  const redis: RedisOptions = { ...options.redis, observer: createRedisObserver(metrics) };
  const commands = connect(redis, 'worker', log);
  const tally = createJobTally(metrics);
  const lanes: { stage: StageName; lane: StageLane; consumer: Consumer; slots: number }[] = [];
  const replica =
    options.replica &&
    createGeneratorReplica({ ...options.replica, workerName, commands, leaseMs, log, metrics });

  /** Lanes of a stage, by their lists. A replica's breaker judges all it takes, so its one lane takes batch jobs too. */
  const lanesOf = (stage: StageName): { lists: string[]; slots?: number }[] => {
    const batchList = batchListOf(stage);
    const { list } = stages[stage];
    if (batchList === null) return [{ lists: [list] }];
    if (stage !== 'generate') return [{ lists: [list] }, { lists: [batchList], slots: batchSlots }];
    return [{ lists: replica === undefined ? [list] : [replica.ownList, list, batchList] }];
  };
  const served = stageNames.filter((stage) => options.lanes[stage] !== undefined);
  const members = served.flatMap((stage) =>
    lanesOf(stage).flatMap(({ lists }) => lists.map((list) => ({ list, member: workerMember(list, wid) }))),
  );

  const beat = startBeat({
    redis,
    members: members.map(({ member }) => member),
    ...(replica && {
      replica: { url: replica.url, slots: replica.slots, workerName, list: replica.ownList },
    }),
    leaseMs,
    beatMs,
    ...(options.stuckMs !== undefined && { stuckMs: options.stuckMs }),
    log,
    onAccepted: () => {
      metrics.set('rag_worker_heartbeat_timestamp_seconds', { role: options.service }, Date.now() / 1000);
      for (const { consumer } of lanes) consumer.start();
    },
  });
  const cancelFeed = createCancelFeed({
    redis,
    commands,
    log,
    onCancel: (id) => {
      for (const { lane } of lanes) lane.cancel(id);
    },
  });
  const caretaker = startCaretaker({
    commands,
    log,
    leaseMs,
    ...(options.caretakerMs !== undefined && { tickMs: options.caretakerMs }),
    onEvent: countCare(metrics),
  });

  const isolation = createIsolation({
    consumers: () => lanes.map(({ consumer }) => consumer),
    giveBackRunning: () => {
      for (const { lane } of lanes) lane.giveBackRunning();
    },
  });

  // ── lanes ───────────────────────────────────────────────────────────────────────────────────

  function addLane<Stage extends StageName>(stage: Stage, lists: string[], slots?: number): void {
    const entry = options.lanes[stage];
    if (entry === undefined) return;
    const consumer: Consumer = createConsumer({
      redis,
      commands,
      wid,
      lists,
      slots: slots ?? entry.slots,
      blockSeconds: Math.min(2, leaseMs / 4000),
      isLeaseFresh: () => beat.isFresh(),
      ...(stage === 'generate' && replica && { allowance: () => replica.allowance(consumer) }),
      deliver: (delivery) => lane.deliver(delivery),
      onEvent: (event, _list, number) => tally(stages[stage].list, event, number),
      log,
    });
    const lane = createStageLane<Stage>({
      stage,
      handler: entry.handler,
      consumer,
      isolation,
      workerName,
      ...(options.explain && { explain: options.explain }),
      isCancelled: (id) => cancelFeed.has(id),
      publishFrame: (name, text) => {
        commands.publish(keys.framesChannel(name), text).catch(() => undefined);
      },
      ...(isJobSource(entry) && { jobs: entry }),
      noteBegin: (delivery, job, first, fields, enter) => {
        runScript(
          commands,
          'begin',
          [delivery.inFlightKey, keys.live(stages[stage].lane), keys.job(job.id), keys.active, keys.recent],
          [enter ? delivery.element : '', job.id, job.deadline_at, first, fields],
        ).catch(() => undefined);
      },
      ...(stage === 'generate' &&
        replica && {
          startLease: replica.startLease,
          replicaUrl: replica.url,
          ...(replica.health && { health: replica.health }),
        }),
      tally,
      log,
      metrics,
      tracing: options.tracing ?? noTracing,
      now: () => beat.nowMs(),
    });
    lanes.push({ stage, lane, consumer, slots: slots ?? entry.slots });
    beginCounting(metrics, stages[stage].list);
  }
  for (const stage of served) for (const { lists, slots } of lanesOf(stage)) addLane(stage, lists, slots);
  replica?.attachHealth(() => {
    for (const { consumer } of lanes) consumer.reconsider();
  });

  // ── timers ──────────────────────────────────────────────────────────────────────────────────

  let stopping: Promise<void> | undefined;
  let hurried = false;
  let redisProblems: string[] = ['redis has not been checked yet'];

  async function inspectRedis(): Promise<void> {
    const verdict = await checkRedis(commands);
    redisProblems = verdict.problems;
    for (const warning of [...verdict.warnings, ...verdict.problems])
      log.warn({ redis: verdict.version }, warning);
  }
  commands.on('ready', () => {
    inspectRedis().catch((error) => log.debug({ err: error }, 'could not check redis'));
    cancelFeed.refresh().catch(() => undefined);
  });

  async function eachBeat(): Promise<void> {
    await Promise.all([
      cancelFeed.refresh(),
      replica?.renewLeases(() => lanes.find(({ stage }) => stage === 'generate')?.lane.runningIds() ?? []),
      ...lanes.map(({ consumer }) => consumer.reconcile()),
    ]);
  }

  const beatTimer = setInterval(() => {
    eachBeat().catch((error) => log.debug({ err: error }, 'reconcile failed; the next beat tries again'));
  }, beatMs);
  const reportTimer = setInterval(() => void replica?.health?.report(), reportMs);
  const retryTimer = setInterval(() => {
    for (const { consumer } of lanes) consumer.promoteDue().catch(() => undefined);
  }, 250);
  metrics.beforeScrape(() => {
    for (const stage of served) {
      const queue = stages[stage].list;
      const own = lanes.filter((lane) => lane.stage === stage);
      const inFlight = own.reduce((sum, { consumer }) => sum + consumer.inFlight(), 0);
      const slots = own.reduce((sum, lane) => sum + lane.slots, 0);
      metrics.set('rag_queue_in_progress', { queue }, inFlight);
      metrics.set('rag_worker_slots', { queue }, slots);
      metrics.set('rag_worker_busy', { queue }, slots === 0 ? 0 : Math.min(1, inFlight / slots));
    }
  });

  // ── readiness and stop ──────────────────────────────────────────────────────────────────────

  function readiness(): { ready: boolean; reasons: string[] } {
    const reasons = [...redisProblems];
    if (stopping !== undefined) reasons.push('draining');
    if (!beat.isFresh()) reasons.push('no beat has been accepted lately');
    for (const { consumer } of lanes) {
      for (const list of consumer.silentSources(5000)) reasons.push(`${list} has not been read within 5 s`);
    }
    return { ready: reasons.length === 0, reasons };
  }

  const busy = () => lanes.reduce((sum, { lane }) => sum + lane.running() + lane.settling(), 0);

  async function drain(): Promise<void> {
    beat.announceDraining();
    for (const { consumer } of lanes) consumer.stopClaiming();
    if (replica?.health !== undefined) await patiently(replica.health.leave());
    if (replica !== undefined) await patiently(replica.returnOwnList());
    const until = performance.now() + options.drainBudgetMs;
    while (busy() > 0 && !hurried && performance.now() < until) await delay(20);
    for (const { lane } of lanes) lane.giveBackAll();
    const settledBy = performance.now() + stepMs;
    while (lanes.some(({ lane }) => lane.settling() > 0) && performance.now() < settledBy) {
      await delay(10);
    }
  }

  async function goodbye(): Promise<void> {
    for (const { consumer } of lanes) await consumer.giveBackRest();
    await replica?.returnOwnList();
    const url = replica?.url;
    await runScript(
      commands,
      'leave',
      [
        keys.workers,
        keys.replicas,
        url === undefined ? keys.none : keys.replica(url),
        url === undefined ? keys.none : keys.leases(url),
        url === undefined ? keys.none : keys.load(url),
        ...members.map(({ list }) => keys.inFlight(list, wid)),
      ],
      [url ?? '', ...members.map(({ member }) => member)],
    );
  }

  async function stop(): Promise<void> {
    await drain();
    clearInterval(beatTimer);
    clearInterval(retryTimer);
    clearInterval(reportTimer);
    isolation.stop();
    // Beats go on to the end of the drain, and stop before the goodbye that must have the last word.
    await patiently(beat.stop());
    await patiently(caretaker.stop());
    await patiently(goodbye());
    for (const { lane, consumer } of lanes) {
      lane.stop();
      consumer.close();
    }
    cancelFeed.close();
    commands.disconnect();
    log.info({ service: options.service }, 'stopped');
  }

  /** What needs Redis must not keep a process from stopping: without it, the reaper does the same later. */
  async function patiently(work: Promise<unknown>): Promise<void> {
    const given = delay(stepMs, undefined, { ref: false });
    await Promise.race([work.catch((error) => log.warn({ err: error }, 'a step of the stop failed')), given]);
  }

  return {
    readiness,
    async onceReady() {
      while (!readiness().ready && stopping === undefined) await delay(25);
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
    hurry() {
      hurried = true;
    },
  };
}

function isJobSource(entry: object): entry is JobSource {
  return 'resolve' in entry;
}
