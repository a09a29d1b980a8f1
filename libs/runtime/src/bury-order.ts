import { type FailureCode, type StageName, stages } from '@vortex/contracts';
import {
  type BuryOrder,
  type Delivery,
  deadLetterText,
  type ElementHeader,
  failureFields,
  failureText,
  holdsIds,
} from '@vortex/queue';
import { attemptsOf, type LaneIdentity, leaseHolder, type Run } from './run.ts';

/** Why a delivery cannot become a run, and its header where one could be read. */
export interface Unreadable {
  code: FailureCode;
  reason: string;
  header: ElementHeader | null;
}

/** The dead letter of a job, and the failed completion that goes with it. */
export function buryOrder(identity: LaneIdentity, run: Run, code: FailureCode, reason: string): BuryOrder {
  const { stage } = identity;
  const { job, delivery } = run;
  const failure = failureOf(stage, run, code, reason);
  const first_at = job.first_at ?? job.enqueued_at ?? null;
  return {
    id: job.id,
    letter: deadLetterText(
      {
        ...{ id: job.id, queue: delivery.list, stage, tenant: job.tenant, code, reason, first_at },
        attempts: failure.attempt,
      },
      delivery.element,
    ),
    value: failureText(failure),
    lane: stages[stage].lane,
    replyTo: job.reply_to,
    trackFields: job.track ? failureFields(failure) : undefined,
    replicaUrl: leaseHolder(identity, job.replica),
  };
}

/** The same for bytes that are no job: without a completion where no id could be read. */
export function unreadableOrder(
  identity: LaneIdentity,
  delivery: Delivery,
  { code, reason, header }: Unreadable,
): BuryOrder {
  const { stage } = identity;
  const attempt = header === null ? 1 : header.attempt + header.redelivered;
  const timingsMs = header?.timingsMs ?? {};
  const failure = { id: header?.id ?? '', code, message: reason, stage, attempt, timingsMs };
  const id = header?.id ?? null;
  const first_at = header?.firstAt ?? null;
  return {
    id: header?.id,
    letter: deadLetterText(
      {
        ...{ id, queue: delivery.list, stage, code, reason, first_at, attempts: attempt },
        ...(header?.tenant !== undefined && !holdsIds(delivery.list) && { tenant: header.tenant }),
      },
      delivery.element,
    ),
    value: header === null ? '' : failureText(failure),
    lane: stages[stage].lane,
    replyTo: header?.replyTo,
    trackFields: header?.track ? failureFields(failure) : undefined,
    replicaUrl: leaseHolder(identity, header?.replica),
  };
}

/** A failed end of the run's job, as `failureText` and `failureFields` take it. */
export function failureOf(stage: StageName, { job, timingsMs }: Run, code: FailureCode, message: string) {
  return { id: job.id, code, message, stage, attempt: attemptsOf(job), timingsMs };
}
