import { type FailureCode, stages } from '@vortex/contracts';
import type { Logger, Metrics, QueueName } from '@vortex/observability';
import { type Consumer, type Delivery, failureFields, failureText, type SettleWord } from '@vortex/queue';
import { buryOrder, failureOf, type Unreadable, unreadableOrder } from './bury-order.ts';
import { completedFields, completedText } from './completion-text.ts';
import type { ExplainEnd } from './explained-end.ts';
import type { JobError } from './job-source.ts';
import type { JobEvent } from './job-tally.ts';
import { type NextTry, nextTryElement, nextTryFields } from './next-try.ts';
import { attemptsOf, type LaneIdentity, leaseHolder, type Run } from './run.ts';
import type { Settling } from './settling.ts';

/**
 * All the ways in which a job leaves this worker, each of them one call to Redis.
 *
 *   goes on     forward (next stage) · retry (this stage, after a while) · giveBack, putAside, putOff (unblamed)
 *               leave (held outside of the queue)
 *   is over     complete (with a result) · end (nobody's bug: cancelled, too late) · bury (dead letter)
 *
 * A retry that the pool's budget does not pay for is buried in the same call (`BROKE`).
 */
export interface JobEndings {
  forward(run: Run, list: string, element: string): void;
  complete(run: Run, result: object): void;
  /** Without an end: somebody else holds the job, and admits it again. `onLeft`: the queue has let go of it. */
  leave(run: Run, onLeft: () => void): void;
  /** With an error that is nobody's bug: completed, not buried. */
  end(run: Run, code: 'cancelled' | 'deadline_exceeded', message: string): void;
  bury(run: Run, code: FailureCode, reason: string): void;
  buryUnreadable(delivery: Delivery, why: Unreadable): void;
  retry(run: Run, next: NextTry): void;
  /** Back to the head of its list, unblamed, as if it had not been claimed. */
  giveBack(run: Run): void;
  /** Another replica shall have the next try. */
  putAside(run: Run): void;
  /** A bare id goes back to its list after some seconds, as it is, unblamed. */
  putOff(delivery: Delivery, id: string): void;
}

/**
 * How long an element is aside that another replica shall take: not back to the head of the list, where this
 * replica, the one with free slots, would find it again at once.
 */
const asideMs = 100;
/** How long a job is put off whose registry did not answer: spread, so that a backlog does not come back as one. */
const putOffMs = () => 2000 + Math.random() * 3000;

export function createJobEndings(options: {
  identity: LaneIdentity;
  consumer: Consumer;
  settling: Settling;
  explainEnd: ExplainEnd;
  metrics: Metrics;
  log: Logger;
  now: () => number;
}): JobEndings {
  const { identity, consumer, settling, explainEnd, metrics, log, now } = options;
  const { stage, replicaUrl } = identity;
  const { lane } = stages[stage];
  const queue: QueueName = stages[stage].list;

  function finish(run: Run, value: string, trackFields: string | undefined, event: JobEvent): void {
    const { job } = run;
    const settled = consumer.finish(run.delivery, {
      id: job.id,
      value,
      lane,
      replyTo: job.reply_to,
      trackFields,
      replicaUrl: leaseHolder(identity, job.replica),
    });
    settling.settle(run, settled, event);
  }

  function tellEnd(run: Run, error: JobError, settleIt: () => void): void {
    const { id } = run.job;
    settling.tell(
      run,
      (jobs) => jobs.onEnd(id, error),
      settleIt,
      () => putOff(run.delivery, id),
    );
  }

  function explainFailure(run: Run, { code, message }: JobError): void {
    explainEnd(run, 'failed', { code, message: message.slice(0, 500), stage });
  }

  function countDead(settled: Promise<SettleWord>, code: FailureCode): void {
    settled.then(
      (answer) => answer === 'OK' && metrics.add('rag_dead_letters_total', { queue, code }, 1),
      // The settling has logged it.
      () => undefined,
    );
  }

  function putOff(delivery: Delivery, id: string): void {
    const order = { id, element: id, delayMs: putOffMs(), trackFields: undefined, replicaUrl: undefined };
    settling.follow(consumer.retry(delivery, order), 'retried', id);
  }

  // ── tried again ─────────────────────────────────────────────────────────────────────────────

  function settleRetry(run: Run, element: string, next: NextTry): void {
    const { job, delivery } = run;
    const { delayMs, blame } = next;
    const isPaidFor = replicaUrl !== undefined && blame !== undefined;
    const settled = consumer.retry(delivery, {
      id: job.id,
      element,
      delayMs,
      trackFields: job.track ? nextTryFields(stage, job, next) : undefined,
      replicaUrl,
      ...(isPaidFor && { whenBroke: () => brokeOrder(run, blame) }),
    });
    settling.settle(run, settled, 'retried');
    if (blame !== undefined) countBroke(run, settled, blame);
  }

  /** How a job ends that may not be tried again because too much else is. */
  function brokeOrder(run: Run, { code, message }: JobError) {
    log.warn({ job_id: run.job.id, stage, code }, 'the retry budget is spent; the job goes to the dead list');
    const reason = `${message} (not tried again: too many queries are being retried)`;
    return buryOrder(identity, run, code, reason);
  }

  /** A retry that could not be paid for has become a letter. */
  function countBroke(run: Run, settled: Promise<SettleWord>, error: JobError): void {
    settled.then(
      (answer) => {
        if (answer !== 'BROKE') return;
        metrics.add('rag_dead_letters_total', { queue, code: error.code }, 1);
        explainFailure(run, error);
      },
      () => undefined,
    );
  }

  return {
    forward(run, list, element) {
      settling.settle(run, consumer.handoff(run.delivery, list, element), 'forwarded');
    },
    complete(run, result) {
      const { job } = run;
      const value = completedText(job.id, attemptsOf(job), run.timingsMs, result);
      finish(run, value, job.track ? completedFields(value) : undefined, 'completed');
      explainEnd(run, 'completed', null);
    },
    leave(run, onLeft) {
      const { job } = run;
      const at = new Date().toISOString();
      const settled = consumer.finish(run.delivery, {
        id: job.id,
        value: '',
        lane,
        replyTo: undefined,
        trackFields: job.track ? JSON.stringify({ id: job.id, status: 'queued', updated_at: at }) : undefined,
        replicaUrl: undefined,
      });
      settling.settle(run, settled, 'returned');
      settled.then(
        (answer) => answer === 'OK' && onLeft(),
        // The settling has logged it.
        () => undefined,
      );
    },
    end(run, code, message) {
      const failure = failureOf(stage, run, code, message);
      const fields = run.job.track ? failureFields(failure) : undefined;
      const event = code === 'cancelled' ? 'cancelled' : 'expired';
      tellEnd(run, { code, message }, () => finish(run, failureText(failure), fields, event));
      explainEnd(run, code, { code, message: message.slice(0, 500), stage });
    },
    bury(run, code, reason) {
      log.warn({ job_id: run.job.id, stage, code, reason }, 'the job goes to the dead list');
      const error = { code, message: reason };
      tellEnd(run, error, () => {
        const settled = consumer.bury(run.delivery, buryOrder(identity, run, code, reason));
        settling.settle(run, settled, 'dead');
        countDead(settled, code);
      });
      explainFailure(run, error);
    },
    buryUnreadable(delivery, why) {
      const { code, reason, header } = why;
      log.warn({ job_id: header?.id, stage, code, reason }, 'an unreadable envelope goes to the dead list');
      const settled = consumer.bury(delivery, unreadableOrder(identity, delivery, why));
      settling.follow(settled, 'dead', header?.id);
      countDead(settled, code);
    },
    retry(run, next) {
      const { id } = run.job;
      const { blame } = next;
      const element = nextTryElement(identity, run, next, now());
      settling.tell(
        run,
        (jobs) => (blame === undefined ? jobs.onRelease(id) : jobs.onRetry(id, blame)),
        () => settleRetry(run, element, next),
      );
    },
    giveBack(run) {
      const { delivery, job } = run;
      settling.tell(
        run,
        (jobs) => jobs.onRelease(job.id),
        () => settling.settle(run, consumer.giveBack(delivery, job.id, replicaUrl), 'returned'),
      );
    },
    putAside(run) {
      const { delivery, job } = run;
      const element = String(delivery.element);
      const order = { id: job.id, element, delayMs: asideMs, trackFields: undefined, replicaUrl };
      settling.settle(run, consumer.retry(delivery, order), 'returned');
    },
    putOff,
  };
}
