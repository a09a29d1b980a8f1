import {
  type InputOf,
  maxDeliveries,
  type Outcome,
  type StageName,
  type StageRow,
  stages,
} from '@vortex/contracts';
import type { Logger, Metrics, QueueName, Tracing } from '@vortex/observability';
import { type Consumer, type Delivery, firstFields } from '@vortex/queue';
import { createCarryOut } from './carry-out.ts';
import { createEndExplainer } from './explained-end.ts';
import { createIdIntake } from './id-intake.ts';
import type { Isolation } from './isolation.ts';
import { createJobEndings } from './job-endings.ts';
import type { JobSource } from './job-source.ts';
import type { JobTally } from './job-tally.ts';
import { readEnvelope } from './read-envelope.ts';
import type { ReplicaHealth } from './replica-health.ts';
import { type DatedJob, type LaneIdentity, type Moment, momentBy, openRun, type Run } from './run.ts';
import { RunContext } from './run-context.ts';
import { createRunMeasure } from './run-measure.ts';
import { beginRunSpan } from './run-span.ts';
import { createRunTimes } from './run-times.ts';
import { createRunningJobs } from './running-jobs.ts';
import { createSettling } from './settling.ts';
import type { NoteExplained, StageHandler } from './stage-handler.ts';

/**
 * Lives one stage: takes a delivery, lets the handler decide, has the decision carried out.
 *
 * Life of a run. delivered → (unreadable: buried) → (deadline passed or too near, cancelled: completed, not
 * run) → running → concluded, by exactly one of: the handler's outcome, its throw, the deadline, the stage's
 * budget, a cancellation, the end of a drain. Whoever concludes first settles; the rest is ignored. When it
 * was not the handler, the signal has fired and the slot stays taken until the handler returns.
 *
 * A stage of ids asks first who the job is (job-source.ts), and says there how a run ended before it says so to
 * Redis. delivered → resolving → (nobody knows it: buried) → (over: let go) → (poison: buried) → running, as above.
 *
 * The last delivery before a job is poison waits until it is alone (isolation.ts); while one is, others go back.
 *
 * Where to read on, in the order of a run's life:
 *
 *   read-envelope.ts, id-intake.ts   what was delivered: an envelope, or a bare id somebody must know
 *   this file                        whether it is run here and now, and its begin
 *   run-context.ts                   what the handler sees of it
 *   running-jobs.ts                  what ends it from outside
 *   carry-out.ts                     which ending its outcome or its throw stands for
 *   job-endings.ts                   the endings: forward, complete, end, bury, retry, give back
 *   settling.ts                      the mark of a concluded run, and Redis' answer
 */
export interface StageLane {
  deliver(delivery: Delivery): void;
  cancel(id: string): void;
  /** Ids the handler works on. */
  runningIds(): string[];
  running(): number;
  /** Settles that Redis has not answered yet. */
  settling(): number;
  /** Aborts every run and gives its job back unblamed. */
  giveBackRunning(): void;
  /** The same with what has not begun: the drain's time is up. */
  giveBackAll(): void;
  stop(): void;
}

export interface StageLaneOptions<Stage extends StageName> {
  stage: Stage;
  handler: StageHandler<Stage>;
  consumer: Consumer;
  /** Of the process: one for all its lanes. */
  isolation: Isolation;
  isCancelled: (id: string) => boolean;
  publishFrame: (name: string, text: string) => void;
  workerName: string;
  /** Where stages and ends of queries are written down; absent: nowhere. */
  explain?: NoteExplained;
  /** A tracked job begins: `first` where nothing stands yet; `enter`: nobody may have admitted it. */
  noteBegin: (delivery: Delivery, job: DatedJob, first: string, fields: string, enter: boolean) => void;
  /** Stages of bare ids: who knows their jobs. */
  jobs?: JobSource;
  /** Generators: takes the lease on this replica when a run begins. */
  startLease?: (id: string, assignedUrl: string | undefined) => void;
  /** Generators: this replica's address. */
  replicaUrl?: string;
  /** Generators: what their breaker allows. */
  health?: ReplicaHealth;
  tally: JobTally;
  log: Logger;
  metrics: Metrics;
  tracing: Tracing;
  /** Epoch milliseconds by the clock that deadlines are judged by: Redis', whatever this host's says. */
  now: () => number;
}

const cancelledBefore = 'the job was cancelled before this stage began';

export function createStageLane<Stage extends StageName>(options: StageLaneOptions<Stage>): StageLane {
  const { stage, handler, consumer, isolation, health, jobs, tally, log, metrics, now } = options;
  const row: StageRow = stages[stage];
  const queue: QueueName = stages[stage].list;
  const identity: LaneIdentity = { stage, workerName: options.workerName, replicaUrl: options.replicaUrl };
  const runTimes = createRunTimes();
  const measure = createRunMeasure({ stage, runTimes, metrics, now });
  const explainEnd = createEndExplainer(stage, options.explain);
  const settling = createSettling({ stage, queue, jobs, tally, log });
  const endings = createJobEndings({ identity, consumer, settling, explainEnd, metrics, log, now });
  const { answered, failed } = createCarryOut<Stage>({ stage, endings, measure, log, now });
  const running = createRunningJobs({ stage, consumer, endings, failed, measure, now });
  const ids =
    jobs && createIdIntake<Stage>({ stage, jobs, consumer, endings, settling, log, now, take: takeResolved });
  /** Waits until it is alone. */
  let suspect: Run | undefined;

  // ── whether it is run here and now ──────────────────────────────────────────────────────────

  function deliver(delivery: Delivery): void {
    if (ids !== undefined) {
      void ids.deliver(delivery);
      return;
    }
    const claimed = momentBy(now);
    const envelope = readEnvelope(stage, delivery.element);
    if (envelope.kind === 'unreadable') endings.buryUnreadable(delivery, envelope);
    else
      take(delivery, envelope.input, claimed.epochMs, claimed, {
        enter: envelope.derivedId === true,
        type: stage,
      });
  }

  function takeResolved(
    delivery: Delivery,
    input: InputOf<Stage>,
    claimedAt: number,
    type: string = stage,
  ): void {
    take(delivery, input, claimedAt, momentBy(now), { enter: true, type });
  }

  function take(
    delivery: Delivery,
    input: InputOf<Stage>,
    claimedAt: number,
    begun: Moment,
    entry: Pick<Run, 'enter' | 'type'>,
  ): void {
    const run = openRun(stage, delivery, input, claimedAt, begun, entry);
    const { job, waitedMs } = run;
    if (waitedMs !== undefined) metrics.observe('rag_queue_wait_seconds', { queue }, waitedMs / 1000);
    const tooLate = whyTooLate(job.deadline_at, claimedAt);
    if (job.redelivered >= maxDeliveries)
      endings.bury(run, 'poison', `its worker died or froze on each of ${maxDeliveries} deliveries`);
    else if (isCancelled(job.id)) endings.end(run, 'cancelled', cancelledBefore);
    else if (tooLate !== null) endings.end(run, 'deadline_exceeded', tooLate);
    // Its breaker is open: back to the shared list, from which it does not pull.
    else if (health?.mayRun(job) === false) endings.giveBack(run);
    else if (health?.isForOthers(job, claimedAt)) endings.putAside(run);
    else if (isolation.isTaken()) endings.giveBack(run);
    else if (job.redelivered === maxDeliveries - 1) beginAlone(run, input);
    else begin(run, input);
  }

  /** Of a bare id its source has just said that it is to run: it may have been cancelled before, and opened anew. */
  function isCancelled(id: string): boolean {
    return row.elements !== 'ids' && options.isCancelled(id);
  }

  /** Work that half of the runs before it would not have ended in the time that is left is not begun. */
  function whyTooLate(deadlineAt: number, claimedAt: number): string | null {
    const remainingMs = deadlineAt - claimedAt;
    if (remainingMs <= 0) return `the deadline had passed when ${stage} claimed the job`;
    const medianMs = runTimes.medianMs(claimedAt);
    if (medianMs === null || remainingMs >= medianMs) return null;
    const needs = `half of its runs take longer than ${Math.round(medianMs)} ms`;
    return `${remainingMs} ms were left when ${stage} claimed the job; ${needs}`;
  }

  // ── its begin ───────────────────────────────────────────────────────────────────────────────

  function beginAlone(run: Run, input: InputOf<Stage>): void {
    const { job } = run;
    log.warn({ job_id: job.id, stage }, 'the job has lost its worker twice; its last delivery runs alone');
    suspect = run;
    isolation.enter(() => {
      suspect = undefined;
      if (run.concluded) return;
      run.begun = momentBy(now);
      if (isCancelled(job.id)) endings.end(run, 'cancelled', cancelledBefore);
      else if (job.deadline_at > now()) begin(run, input);
      else endings.end(run, 'deadline_exceeded', `the deadline passed before ${stage} could begin the job`);
    });
  }

  function begin(run: Run, input: InputOf<Stage>): void {
    const { job } = run;
    running.add(run);
    run.span = beginRunSpan(options.tracing, { stage, ...run });
    options.startLease?.(job.id, job.replica?.url);
    if (job.track) noteBegin(run);
    handle(run, input).then(
      (outcome) => {
        running.remove(run);
        if (!run.concluded) answered(run, outcome);
      },
      (error: unknown) => {
        running.remove(run);
        if (!run.concluded) failed(run, error);
      },
    );
  }

  function noteBegin({ delivery, job, enter, type }: Run): void {
    const at = new Date().toISOString();
    const first = { ...firstFields(job.id, type, { tenant: job.tenant }), started_at: at };
    const fields = { status: 'processing', updated_at: at };
    options.noteBegin(delivery, job, JSON.stringify(first), JSON.stringify(fields), enter);
  }

  // Async, so that a handler that throws at once is treated like one that rejects.
  async function handle(run: Run, input: InputOf<Stage>): Promise<Outcome<Stage>> {
    return handler(input, new RunContext(run, stage, options));
  }

  return {
    deliver,
    cancel: running.cancel,
    runningIds: running.ids,
    running: running.count,
    settling: () => settling.pending() + (ids?.resolving() ?? 0),
    giveBackRunning: running.giveBackAll,
    giveBackAll() {
      ids?.stop();
      if (suspect !== undefined && !suspect.concluded) endings.giveBack(suspect);
      running.giveBackAll();
    },
    stop: running.stop,
  };
}
