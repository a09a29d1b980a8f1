import { type FailureCode, type InputOf, type StageName, type StageRow, stages } from '@vortex/contracts';
import type { Logger } from '@vortex/observability';
import {
  bareId,
  type Consumer,
  type Delivery,
  type ElementHeader,
  headerOf,
  type SettleWord,
} from '@vortex/queue';
import type { JobSource, ResolvedJob } from './job-source.ts';
import type { JobEvent } from './job-tally.ts';

/**
 * How a lane takes bare ids: asks who the job is, and hands it to the lane like an envelope. What never becomes a
 * run ends here: nobody knows the id (buried), the job is over (let go), who knows it does not answer (put off),
 * the worker stops (given back).
 */
export interface IdIntake {
  /** Never rejects. */
  deliver(delivery: Delivery): Promise<void>;
  /** Back to the list after some seconds, as it is, unblamed. */
  putOff(delivery: Delivery, id: string): void;
  /** Ids that are being asked about. */
  resolving(): number;
  /** From here on what is resolved is given back. */
  stop(): void;
}

interface IdIntakeOptions<Stage extends StageName> {
  stage: Stage;
  jobs: JobSource;
  consumer: Consumer;
  log: Logger;
  now: () => number;
  take: (delivery: Delivery, input: InputOf<Stage>, claimedAt: number, type: string | undefined) => void;
  buryUnreadable: (
    delivery: Delivery,
    why: { code: FailureCode; reason: string; header: ElementHeader | null },
  ) => void;
  awaitSettle: (settled: Promise<SettleWord>, event: JobEvent, id: string) => void;
}

/** How long a job is put off whose registry did not answer: spread, so that a backlog does not come back as one. */
const putOffMs = () => 2000 + Math.random() * 3000;

export function createIdIntake<Stage extends StageName>(options: IdIntakeOptions<Stage>): IdIntake {
  const { stage, jobs, consumer, log, now, awaitSettle } = options;
  const row: StageRow = stages[stage];
  let resolving = 0;
  let stopping = false;

  async function receive(
    delivery: Delivery,
    id: string,
    claimedAt: number,
    resolved: ResolvedJob | null,
  ): Promise<void> {
    if (resolved === null) {
      const header = headerOf({ id, track: true });
      const reason = 'nobody knows a job of this id';
      options.buryUnreadable(delivery, { code: 'invalid_envelope', reason, header });
    } else if ('over' in resolved) letGo(delivery, id, resolved.ended ?? 'cancelled');
    else if (stopping) {
      await jobs
        .onRelease(id)
        .catch((error) => log.warn({ job_id: id, stage, err: error }, 'a return was not noted'));
      awaitSettle(consumer.giveBack(delivery, id, undefined), 'returned', id);
    } else {
      const { type, ...header } = resolved;
      const input = row.input.parse({ ...header, id, track: true }) as InputOf<Stage>;
      options.take(delivery, input, claimedAt, type);
    }
  }

  /** The job had ended before its id was claimed: out of the queue, and nobody is told anew. */
  function letGo(delivery: Delivery, id: string, status: string): void {
    const at = new Date().toISOString();
    const settled = consumer.finish(delivery, {
      id,
      value: '',
      lane: row.lane,
      replyTo: undefined,
      trackFields: JSON.stringify({ id, status, updated_at: at, completed_at: at }),
      replicaUrl: undefined,
    });
    awaitSettle(settled, 'cancelled', id);
  }

  function putOff(delivery: Delivery, id: string): void {
    const settled = consumer.retry(delivery, {
      id,
      element: id,
      delayMs: putOffMs(),
      trackFields: undefined,
      replicaUrl: undefined,
    });
    awaitSettle(settled, 'retried', id);
  }

  return {
    async deliver(delivery) {
      const id = bareId(delivery.element);
      if (id === null) {
        const reason = `${row.list} takes job ids, and this is none`;
        options.buryUnreadable(delivery, { code: 'invalid_envelope', reason, header: null });
        return;
      }
      const claimedAt = now();
      resolving += 1;
      try {
        await receive(delivery, id, claimedAt, await jobs.resolve(id));
      } catch (error) {
        log.warn({ job_id: id, stage, err: error }, 'could not learn what the job is; it is put off');
        putOff(delivery, id);
      } finally {
        resolving -= 1;
      }
    },
    putOff,
    resolving: () => resolving,
    stop() {
      stopping = true;
    },
  };
}
