import {
  type AnswerFrameBody,
  defaultDeadlineMs,
  type ExplainedEnd,
  type FailedTry,
  type FailureCode,
  type InputOf,
  type JobHeader,
  maxDeliveries,
  type Outcome,
  StageFailure,
  type StageName,
  type StageRow,
  stages,
  type TimingsMs,
} from '@vortex/contracts';
import {
  type LabelsOf,
  type Logger,
  type Metrics,
  type QueueName,
  type TraceSpan,
  type Tracing,
  traceIdOf,
} from '@vortex/observability';
import {
  addTry,
  type BuryOrder,
  type Consumer,
  changeHeader,
  type Delivery,
  deadLetterText,
  type ElementHeader,
  failureFields,
  failureText,
  firstFields,
  type SettleWord,
} from '@vortex/queue';
import { retryDelayMs } from './backoff.ts';
import { completedFields, completedText } from './completion-text.ts';
import { createIdIntake } from './id-intake.ts';
import type { Isolation } from './isolation.ts';
import type { JobError, JobSource } from './job-source.ts';
import type { JobEvent, JobTally } from './job-tally.ts';
import { listOf, nextElement } from './next-element.ts';
import { readEnvelope } from './read-envelope.ts';
import type { ReplicaHealth } from './replica-health.ts';
import { beginRunSpan } from './run-span.ts';
import { createRunTimes } from './run-times.ts';
import type { NoteExplained, StageContext, StageHandler } from './stage-handler.ts';

/**
 * Lives one stage: takes a delivery, lets the handler decide, carries the decision out.
 *
 * Life of a run. delivered → (unreadable: buried) → (deadline passed or too near, cancelled: completed, not
 * run) → running → concluded, by exactly one of: the handler's outcome, its throw, the deadline, the stage's
 * budget, a cancellation, the end of a drain. Whoever concludes first settles; the rest is ignored. When it
 * was not the handler, the signal has fired and the slot stays taken until the handler returns: work
 * that ignores its signal must not be joined by more of its kind.
 *
 * A stage of ids asks first who the job is (job-source.ts), and says there how a run ended before it says so to
 * Redis. delivered → resolving → (nobody knows it: buried) → (over: let go) → (poison: buried) → running, as above.
 *
 * The last delivery before a job is poison waits until it is alone (isolation.ts); while one is, others go back.
 *
 * One piece, long as it is: all these endings race for one mark, and its writers are seen side by side.
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
  noteBegin: (
    delivery: Delivery,
    job: JobHeader & { deadline_at: number },
    first: string,
    fields: string,
    enter: boolean,
  ) => void;
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

interface Run {
  delivery: Delivery;
  job: JobHeader & { deadline_at: number };
  /** Made when a handler asks for its signal; an AbortController per job is not free. */
  controller: AbortController | undefined;
  timingsMs: TimingsMs;
  claimedAt: number;
  /** Undefined: an envelope pushed by hand does not say since when it waits. */
  waitedMs: number | undefined;
  span: TraceSpan | null;
  startedAt: number;
  concluded: boolean;
  releaseSlot: (() => void) | undefined;
  /** Why the run was ended from outside. */
  interruption: DOMException | undefined;
}

const queryStages: ReadonlySet<StageName> = new Set(['encode', 'retrieve', 'generate']);

/** How often deadlines and budgets of running jobs are looked at; one timer for all is cheaper than one each. */
const watchMs = 50;

export function createStageLane<Stage extends StageName>(options: StageLaneOptions<Stage>): StageLane {
  const { stage, handler, consumer, log, metrics, now } = options;
  const row: StageRow = stages[stage];
  const queue: QueueName = stages[stage].list;
  const runs = new Set<Run>();
  /** Waits until it is alone. */
  let suspect: Run | undefined;
  const runTimes = createRunTimes();
  let settling = 0;
  let watch: NodeJS.Timeout | undefined;

  const ids =
    options.jobs &&
    createIdIntake<Stage>({
      stage,
      jobs: options.jobs,
      consumer,
      log,
      now,
      take: (delivery, input, claimedAt, type) => take(delivery, input, claimedAt, true, type),
      buryUnreadable,
      awaitSettle,
    });

  // ── from delivery to handler ────────────────────────────────────────────────────────────────

  function deliver(delivery: Delivery): void {
    if (ids !== undefined) {
      void ids.deliver(delivery);
      return;
    }
    const claimedAt = now();
    const envelope = readEnvelope(stage, delivery.element);
    if (envelope.kind === 'unreadable') {
      buryUnreadable(delivery, envelope);
      return;
    }
    take(delivery, envelope.input, claimedAt, envelope.derivedId === true);
  }

  /** `enter`: nobody may have admitted it; `type`: as the live view names it, should it enter there now. */
  function take(
    delivery: Delivery,
    input: InputOf<Stage>,
    claimedAt: number,
    enter: boolean,
    type: string = stage,
  ): void {
    const header: JobHeader = input;
    const job = { ...header, deadline_at: header.deadline_at ?? claimedAt + defaultDeadlineMs[row.lane] };
    const timingsMs: TimingsMs = { ...job.timings_ms };
    let waitedMs: number | undefined;
    if (job.enqueued_at !== undefined) {
      waitedMs = Math.max(0, claimedAt - job.enqueued_at);
      timingsMs[`queue_${stage}`] = waitedMs;
      metrics.observe('rag_queue_wait_seconds', { queue }, waitedMs / 1000);
    }
    const run: Run = {
      delivery,
      job,
      controller: undefined,
      timingsMs,
      claimedAt,
      waitedMs,
      span: null,
      startedAt: performance.now(),
      concluded: false,
      releaseSlot: undefined,
      interruption: undefined,
    };
    const tooLate = whyTooLate(job.deadline_at, claimedAt);
    if (job.redelivered >= maxDeliveries) {
      bury(run, 'poison', `its worker died or froze on each of ${maxDeliveries} deliveries`);
    } else if (row.elements !== 'ids' && options.isCancelled(job.id))
      // Of a bare id its source has just said that it is to run: it may have been cancelled before, and opened anew.
      end(run, 'cancelled', 'the job was cancelled before this stage began');
    else if (tooLate !== null) end(run, 'deadline_exceeded', tooLate);
    else if (options.health?.mayRun(job) === false) {
      // Its breaker is open: back to the shared list, from which it does not pull.
      giveBack(run);
    } else if (options.health?.isForOthers(job, claimedAt)) putAside(run);
    else if (options.isolation.isTaken()) giveBack(run);
    else if (job.redelivered === maxDeliveries - 1) beginAlone(run, input, enter, type);
    else begin(run, input, enter, type);
  }

  /**
   * Another replica shall have the next try. Aside for a moment, and not back to the head of the list, where this
   * replica, the one with free slots, would find it again at once.
   */
  function putAside(run: Run): void {
    const { job, delivery } = run;
    const element = String(delivery.element);
    const order = {
      id: job.id,
      element,
      delayMs: 100,
      trackFields: undefined,
      replicaUrl: options.replicaUrl,
    };
    settle(run, consumer.retry(delivery, order), 'returned');
  }

  function beginAlone(run: Run, input: InputOf<Stage>, enter: boolean, type: string): void {
    log.warn(
      { job_id: run.job.id, stage },
      'the job has lost its worker twice; its last delivery runs alone',
    );
    suspect = run;
    options.isolation.enter(() => {
      suspect = undefined;
      if (run.concluded) return;
      run.startedAt = performance.now();
      if (row.elements !== 'ids' && options.isCancelled(run.job.id))
        end(run, 'cancelled', 'the job was cancelled before this stage began');
      else if (run.job.deadline_at > now()) begin(run, input, enter, type);
      else end(run, 'deadline_exceeded', `the deadline passed before ${stage} could begin the job`);
    });
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

  function begin(run: Run, input: InputOf<Stage>, enter: boolean, type: string): void {
    const { job } = run;
    runs.add(run);
    watch ??= setInterval(lookAtClocks, watchMs);
    run.span = beginRunSpan(options.tracing, { stage, ...run, begunAt: now() });
    options.startLease?.(job.id, job.replica?.url);
    if (job.track) {
      const at = new Date().toISOString();
      const first = { ...firstFields(job.id, type), started_at: at };
      const fields = { status: 'processing', updated_at: at };
      options.noteBegin(run.delivery, job, JSON.stringify(first), JSON.stringify(fields), enter);
    }
    handle(run, input).then(
      (outcome) => {
        runs.delete(run);
        run.releaseSlot?.();
        if (!run.concluded) carryOut(run, outcome);
      },
      (error: unknown) => {
        runs.delete(run);
        run.releaseSlot?.();
        if (!run.concluded) failed(run, error);
      },
    );
  }

  // Async, so that a handler that throws at once is treated like one that rejects.
  async function handle(run: Run, input: InputOf<Stage>): Promise<Outcome<Stage>> {
    return handler(input, new RunContext(run, stage, options));
  }

  // ── from decision to Redis ──────────────────────────────────────────────────────────────────

  function carryOut(run: Run, outcome: Outcome<Stage>): void {
    const { job } = run;
    switch (outcome.kind) {
      case 'forward': {
        measure(run, 'forwarded');
        const element = nextElement(outcome.to, job, outcome.payload, run.timingsMs, now());
        settle(run, consumer.handoff(run.delivery, listOf(outcome.to, job), element), 'forwarded');
        return;
      }
      case 'done': {
        measure(run, 'completed');
        const value = completedText(job.id, attemptsOf(job), run.timingsMs, outcome.result);
        finish(run, value, job.track ? completedFields(value) : undefined, 'completed');
        explainEnd(run, 'completed', null);
        return;
      }
      case 'reject':
        run.span?.fail(outcome.code);
        measure(run, 'rejected');
        if (outcome.code === 'cancelled') end(run, 'cancelled', outcome.reason);
        else bury(run, outcome.code, outcome.reason);
        return;
      case 'later': {
        measure(run, 'later');
        const remainingMs = job.deadline_at - now();
        if (outcome.afterMs >= remainingMs) {
          end(run, 'deadline_exceeded', `${stage} asked to wait past the deadline: ${outcome.reason}`);
        } else retry(run, Math.max(0, outcome.afterMs), outcome.reason, undefined);
        return;
      }
      default:
        outcome satisfies never;
    }
  }

  function failed(run: Run, error: unknown): void {
    const { job } = run;
    if (run.span !== null) run.span.fail(error instanceof StageFailure ? error.code : 'internal');
    measure(run, 'failed');
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof StageFailure && !error.mayRetry) {
      bury(run, error.code, message);
      return;
    }
    const delayMs = retryDelayMs(job.attempt, job.deadline_at - now());
    if (job.attempt < row.maxAttempts && delayMs !== null) {
      log.warn(
        { job_id: job.id, stage, attempt: job.attempt, delay_ms: delayMs, err: error },
        'the stage failed; trying again',
      );
      const code = error instanceof StageFailure ? error.code : 'internal';
      retry(run, delayMs, message, { code, message });
      return;
    }
    const code = error instanceof StageFailure ? error.code : exhaustedCode();
    bury(run, code, `gave up after ${job.attempt} of ${row.maxAttempts} tries: ${message}`);
  }

  function exhaustedCode(): FailureCode {
    return stage === 'generate' ? 'generator_failed' : 'attempts_exhausted';
  }

  /** `blame`: the try failed, and counts; without it the stage asked to be called later. */
  function retry(run: Run, delayMs: number, reason: string, blame: JobError | undefined): void {
    const { job, delivery } = run;
    const { element: old } = delivery;
    if (typeof old !== 'string') throw new Error('an unreadable element cannot be retried (stage-lane-1)');
    const attempt = job.attempt + (blame === undefined ? 0 : 1);
    // A generator's next try may be on another replica, so its lease and its assignment end here.
    const isGenerator = options.replicaUrl !== undefined;
    const element = changeHeader(old, {
      // A body pushed without an id has one derived from its bytes, which this changes.
      id: job.id,
      ...(job.track && { track: true }),
      attempt,
      deadline_at: job.deadline_at,
      enqueued_at: now() + delayMs,
      first_at: job.first_at ?? job.enqueued_at,
      timings_ms: withRetry(run, now() + delayMs),
      tries: triesOf(run, reason, blame),
      ...(isGenerator && { replica: undefined, exclude: failedAt(job, blame) }),
    });
    const fields = {
      status: 'retrying',
      message: reason.slice(0, 500),
      updated_at: new Date().toISOString(),
      ...(blame !== undefined && {
        progress: '0',
        retry_count: String(attempt - 1),
        error: blame.message.slice(0, 2000),
        error_code: blame.code,
      }),
    };
    told(
      run,
      (jobs) => (blame === undefined ? jobs.onRelease(job.id) : jobs.onRetry(job.id, blame)),
      () => {
        const settled = consumer.retry(delivery, {
          id: job.id,
          element,
          delayMs,
          trackFields: job.track ? JSON.stringify(fields) : undefined,
          replicaUrl: options.replicaUrl,
          ...(isGenerator && blame !== undefined && { whenBroke: () => brokeOrder(run, blame) }),
        });
        settle(run, settled, 'retried');
        if (blame !== undefined) countBroke(run, settled, blame);
      },
    );
  }

  /** From the list it was put on until it is due again: the next try's wait is counted from there. */
  function withRetry({ job, claimedAt }: Run, dueAt: number): TimingsMs {
    const name = `retry_${stage}`;
    const before = job.timings_ms[name] ?? 0;
    return { ...job.timings_ms, [name]: before + dueAt - (job.enqueued_at ?? claimedAt) };
  }

  function triesOf({ job, claimedAt }: Run, reason: string, blame: JobError | undefined): FailedTry[] {
    const { workerName: worker, replicaUrl } = options;
    return addTry(job.tries, {
      kind: blame === undefined ? 'later' : 'failed',
      ...{ stage, worker },
      ...(replicaUrl !== undefined && { replica: replicaUrl }),
      ...(blame !== undefined && { code: blame.code }),
      reason: reason.slice(0, 200),
      ms: now() - claimedAt,
    });
  }

  /** The replicas that have failed at the job, this one with them. */
  function failedAt(job: JobHeader, blame: JobError | undefined): string[] | undefined {
    const url = options.replicaUrl;
    if (blame === undefined || url === undefined) return job.exclude;
    return [...(job.exclude ?? []).filter((one) => one !== url), url].slice(-8);
  }

  /** How a job ends that may not be tried again because too much else is. */
  function brokeOrder(run: Run, { code, message }: JobError): BuryOrder {
    log.warn({ job_id: run.job.id, stage, code }, 'the retry budget is spent; the job goes to the dead list');
    return buryOrder(run, code, `${message} (not tried again: too many queries are being retried)`);
  }

  /**
   * A stage of ids tells who knows the job what becomes of it, then Redis. When that fails, a try or a return
   * stays uncounted, but an end is put off: ended here alone, the job would be found open and run again.
   */
  function told(
    run: Run,
    tell: (jobs: JobSource) => Promise<void>,
    settleIt: () => void,
    whenUntold: () => void = settleIt,
  ): void {
    const { jobs } = options;
    run.concluded = true;
    if (jobs === undefined) {
      settleIt();
      return;
    }
    settling += 1;
    tell(jobs)
      .then(settleIt, (error: unknown) => {
        log.warn({ job_id: run.job.id, stage, err: error }, 'what became of the job was not noted');
        whenUntold();
      })
      .finally(() => {
        settling -= 1;
      });
  }

  function toldEnd(run: Run, error: JobError, settleIt: () => void): void {
    told(
      run,
      (jobs) => jobs.onEnd(run.job.id, error),
      settleIt,
      () => ids?.putOff(run.delivery, run.job.id),
    );
  }

  /** Unblamed, as if it had not been claimed. */
  function giveBack(run: Run): void {
    told(
      run,
      (jobs) => jobs.onRelease(run.job.id),
      () => settle(run, consumer.giveBack(run.delivery, run.job.id, options.replicaUrl), 'returned'),
    );
  }

  /** Ends a job with an error that is nobody's bug: completed, not buried. */
  function end(run: Run, code: 'cancelled' | 'deadline_exceeded', message: string): void {
    const failure = failureOf(run, code, message);
    const fields = run.job.track ? failureFields(failure) : undefined;
    const event = code === 'cancelled' ? 'cancelled' : 'expired';
    toldEnd(run, { code, message }, () => finish(run, failureText(failure), fields, event));
    explainEnd(run, code, { code, message: message.slice(0, 500), stage });
  }

  /** Of queries; one that went straight on to a gateway that waits has its end written down there. */
  function explainEnd(run: Run, status: ExplainedEnd['status'], error: ExplainedEnd['error']): void {
    const { job, timingsMs } = run;
    if (options.explain === undefined || !queryStages.has(stage)) return;
    const isUsual = status === 'completed' && job.tries === undefined && job.redelivered === 0;
    if (isUsual && job.reply_to !== undefined) return;
    options.explain(
      job,
      'end',
      (): ExplainedEnd => ({
        ...{ status, stage, error },
        attempt: attemptsOf(job),
        redelivered: job.redelivered,
        tries: job.tries ?? [],
        timings_ms: timingsMs,
      }),
    );
  }

  function finish(run: Run, value: string, trackFields: string | undefined, event: JobEvent): void {
    const { job } = run;
    const settled = consumer.finish(run.delivery, {
      id: job.id,
      value,
      lane: row.lane,
      replyTo: job.reply_to,
      trackFields,
      replicaUrl: leaseHolder(job.replica?.url),
    });
    settle(run, settled, event);
  }

  function bury(run: Run, code: FailureCode, reason: string): void {
    log.warn({ job_id: run.job.id, stage, code, reason }, 'the job goes to the dead list');
    toldEnd(run, { code, message: reason }, () => {
      const settled = consumer.bury(run.delivery, buryOrder(run, code, reason));
      settle(run, settled, 'dead');
      countDead(settled, code);
    });
    explainEnd(run, 'failed', { code, message: reason.slice(0, 500), stage });
  }

  function buryOrder(run: Run, code: FailureCode, reason: string): BuryOrder {
    const { job } = run;
    const failure = failureOf(run, code, reason);
    return {
      id: job.id,
      letter: letterOf(run.delivery, job.id, code, reason, attemptsOf(job), job.first_at ?? job.enqueued_at),
      value: failureText(failure),
      lane: row.lane,
      replyTo: job.reply_to,
      trackFields: job.track ? failureFields(failure) : undefined,
      replicaUrl: leaseHolder(job.replica?.url),
    };
  }

  function buryUnreadable(
    delivery: Delivery,
    { code, reason, header }: { code: FailureCode; reason: string; header: ElementHeader | null },
  ): void {
    log.warn({ job_id: header?.id, stage, code, reason }, 'an unreadable envelope goes to the dead list');
    const attempt = header === null ? 1 : header.attempt + header.redelivered;
    const failure = {
      id: header?.id ?? '',
      code,
      message: reason,
      stage,
      attempt,
      timingsMs: header?.timingsMs ?? {},
    };
    const settled = consumer.bury(delivery, {
      id: header?.id,
      letter: letterOf(delivery, header?.id ?? null, code, reason, attempt, header?.firstAt),
      value: header === null ? '' : failureText(failure),
      lane: row.lane,
      replyTo: header?.replyTo,
      trackFields: header?.track ? failureFields(failure) : undefined,
      replicaUrl: leaseHolder(header?.replica?.url),
    });
    awaitSettle(settled, 'dead', header?.id);
    countDead(settled, code);
  }

  function countDead(settled: Promise<SettleWord>, code: FailureCode): void {
    settled.then(
      (answer) => answer === 'OK' && metrics.add('rag_dead_letters_total', { queue, code }, 1),
      // awaitSettle has logged it.
      () => undefined,
    );
  }

  /** A retry that could not be paid for has become a letter. */
  function countBroke(run: Run, settled: Promise<SettleWord>, { code, message }: JobError): void {
    settled.then(
      (answer) => {
        if (answer !== 'BROKE') return;
        metrics.add('rag_dead_letters_total', { queue, code }, 1);
        explainEnd(run, 'failed', { code, message: message.slice(0, 500), stage });
      },
      () => undefined,
    );
  }

  /** Whose lease ends with the job: this replica's when it runs here, else that of the one it was assigned to. */
  function leaseHolder(assignedUrl: string | undefined): string | undefined {
    return options.replicaUrl ?? assignedUrl;
  }

  function letterOf(
    delivery: Delivery,
    id: string | null,
    code: FailureCode,
    reason: string,
    attempts: number,
    firstAt: number | undefined,
  ): string {
    return deadLetterText(
      { id, queue: delivery.list, stage, code, reason, attempts, first_at: firstAt ?? null },
      delivery.element,
    );
  }

  function failureOf(run: Run, code: FailureCode, message: string) {
    const { job, timingsMs } = run;
    return { id: job.id, code, message, stage, attempt: attemptsOf(job), timingsMs };
  }

  function settle(run: Run, settled: Promise<SettleWord>, event: JobEvent): void {
    run.concluded = true;
    awaitSettle(settled, event, run.job.id);
  }

  function awaitSettle(settled: Promise<SettleWord>, event: JobEvent, id: string | undefined): void {
    settling += 1;
    settled
      .then(
        (answer) => {
          if (answer === 'OK') options.tally(queue, event);
          else if (answer === 'BROKE') options.tally(queue, 'dead');
          else log.info({ job_id: id, stage }, 'somebody else owns the job by now; this run is dropped');
        },
        (error: unknown) =>
          // The element stays in the in-flight list, where reconcile finds it: tried again, not lost.
          log.error(
            { job_id: id, stage, err: error },
            'redis refused to settle the job; it will be tried again',
          ),
      )
      .finally(() => {
        settling -= 1;
      });
  }

  function measure(run: Run, outcome: LabelsOf<'rag_stage_duration_seconds'>['outcome']): void {
    const serviceMs = performance.now() - run.startedAt;
    run.timingsMs[stage] = Math.round(serviceMs * 1000) / 1000;
    if (run.span !== null) endSpan(run.span, outcome);
    if (outcome === 'forwarded' || outcome === 'completed') runTimes.note(serviceMs, now());
    metrics.observe(
      'rag_stage_duration_seconds',
      { stage, outcome },
      serviceMs / 1000,
      traceIdOf(run.job.traceparent),
    );
  }

  // ── clocks and signals ──────────────────────────────────────────────────────────────────────

  function lookAtClocks(): void {
    if (runs.size === 0) {
      clearInterval(watch);
      watch = undefined;
      return;
    }
    const time = now();
    const monotonic = performance.now();
    for (const run of runs) {
      if (run.concluded) continue;
      if (time >= run.job.deadline_at) {
        interrupt(run, new DOMException('the deadline passed', 'TimeoutError'), () => {
          measure(run, 'expired');
          end(run, 'deadline_exceeded', `the deadline passed while ${stage} worked on the job`);
        });
      } else if (monotonic - run.startedAt >= row.budgetMs) {
        const error = new DOMException(
          `${stage} ran longer than its budget of ${row.budgetMs} ms`,
          'TimeoutError',
        );
        interrupt(run, error, () => failed(run, error));
      }
    }
  }

  function interrupt(run: Run, reason: DOMException, conclude: () => void): void {
    // The settle frees the slot; the handler, which may still run, keeps it until it returns.
    run.releaseSlot = consumer.keepSlot();
    conclude();
    run.concluded = true;
    run.interruption = reason;
    run.controller?.abort(reason);
  }

  function giveBackRunning(): void {
    for (const run of runs) {
      if (run.concluded) continue;
      interrupt(run, new DOMException('the worker is stopping', 'AbortError'), () => {
        measure(run, 'returned');
        giveBack(run);
      });
    }
  }

  return {
    deliver,
    cancel(id) {
      for (const run of runs) {
        if (run.job.id !== id || run.concluded) continue;
        interrupt(run, new DOMException('the job was cancelled', 'AbortError'), () => {
          measure(run, 'cancelled');
          end(run, 'cancelled', `the job was cancelled while ${stage} worked on it`);
        });
      }
    },
    runningIds: () => [...runs].filter((run) => !run.concluded).map((run) => run.job.id),
    running: () => runs.size,
    settling: () => settling + (ids?.resolving() ?? 0),
    giveBackAll() {
      ids?.stop();
      if (suspect !== undefined && !suspect.concluded) giveBack(suspect);
      giveBackRunning();
    },
    giveBackRunning,
    stop: () => clearInterval(watch),
  };
}

type RunOptions = Pick<StageLaneOptions<StageName>, 'log' | 'publishFrame' | 'now' | 'explain'>;

/** A class, because one is made per job. */
class RunContext implements StageContext {
  readonly #run: Run;
  readonly #stage: StageName;
  readonly #options: RunOptions;
  #log: Logger | undefined;

  constructor(run: Run, stage: StageName, options: RunOptions) {
    this.#run = run;
    this.#stage = stage;
    this.#options = options;
  }

  get job() {
    return this.#run.job;
  }

  get signal() {
    const run = this.#run;
    if (run.controller === undefined) {
      run.controller = new AbortController();
      if (run.interruption !== undefined) run.controller.abort(run.interruption);
    }
    return run.controller.signal;
  }

  /** Most runs log nothing, and a child logger is not free. */
  get log() {
    this.#log ??= this.#options.log.child({
      job_id: this.#run.job.id,
      trace_id: traceIdOf(this.#run.job.traceparent),
      stage: this.#stage,
    });
    return this.#log;
  }

  get span() {
    return this.#run.span;
  }

  get trace() {
    const { span, job } = this.#run;
    return span ?? job;
  }

  // Arrow functions: handlers pass them on without the object.
  readonly now = (): number => this.#options.now();

  readonly emit = (frame: AnswerFrameBody): void => {
    const { job, concluded } = this.#run;
    if (concluded || job.reply_to === undefined) return;
    const { id, attempt, redelivered } = job;
    this.#options.publishFrame(job.reply_to, JSON.stringify({ id, attempt, redelivered, ...frame }));
  };

  readonly explain = (tell: () => object): void => {
    this.#options.explain?.(this.#run.job, this.#stage, tell);
  };

  readonly timing = (name: string, ms: number): void => {
    this.#run.timingsMs[name] = ms;
  };
}

/** Only a run's own end: that it was given back, or another shall try, is no error. */
function endSpan(span: TraceSpan, outcome: LabelsOf<'rag_stage_duration_seconds'>['outcome']): void {
  span.set({ 'vortex.outcome': outcome });
  if (outcome === 'expired') span.fail('deadline_exceeded');
  span.end();
}

/** Deliveries so far: tries after failures of our own, and those that came back from the dead. */
function attemptsOf(job: JobHeader): number {
  return job.attempt + job.redelivered;
}
