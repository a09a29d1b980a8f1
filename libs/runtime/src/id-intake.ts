import { type InputOf, type StageName, type StageRow, stages } from '@vortex/contracts';
import type { Logger } from '@vortex/observability';
import { bareId, type Consumer, type Delivery, headerOf } from '@vortex/queue';
import type { JobEndings } from './job-endings.ts';
import type { JobSource, ResolvedJob } from './job-source.ts';
import type { Settling } from './settling.ts';

/**
 * How a lane takes bare ids: asks who the job is, and hands it to the lane like an envelope. What never becomes a
 * run ends here: nobody knows the id (buried), the job is over (let go), who knows it does not answer (put off),
 * the worker stops (given back).
 */
export interface IdIntake {
  /** Never rejects. */
  deliver(delivery: Delivery): Promise<void>;
  /** Ids that are being asked about. */
  resolving(): number;
  /** From here on what is resolved is given back. */
  stop(): void;
}

interface IdIntakeOptions<Stage extends StageName> {
  stage: Stage;
  jobs: JobSource;
  consumer: Pick<Consumer, 'giveBack' | 'finish'>;
  log: Logger;
  endings: Pick<JobEndings, 'buryUnreadable' | 'putOff'>;
  settling: Pick<Settling, 'follow'>;
  now: () => number;
  take: (delivery: Delivery, input: InputOf<Stage>, claimedAt: number, type: string | undefined) => void;
}

export function createIdIntake<Stage extends StageName>(options: IdIntakeOptions<Stage>): IdIntake {
  const { stage, jobs, consumer, endings, settling, log, now } = options;
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
      endings.buryUnreadable(delivery, { code: 'invalid_envelope', reason, header });
    } else if ('over' in resolved) letGo(delivery, id, resolved.ended ?? 'cancelled');
    else if (stopping) {
      await jobs
        .onRelease(id)
        .catch((error) => log.warn({ job_id: id, stage, err: error }, 'a return was not noted'));
      settling.follow(consumer.giveBack(delivery, id, undefined), 'returned', id);
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
    settling.follow(settled, 'cancelled', id);
  }

  return {
    async deliver(delivery) {
      const id = bareId(delivery.element);
      if (id === null) {
        const reason = `${row.list} takes job ids, and this is none`;
        endings.buryUnreadable(delivery, { code: 'invalid_envelope', reason, header: null });
        return;
      }
      const claimedAt = now();
      resolving += 1;
      try {
        await receive(delivery, id, claimedAt, await jobs.resolve(id));
      } catch (error) {
        log.warn({ job_id: id, stage, err: error }, 'could not learn what the job is; it is put off');
        endings.putOff(delivery, id);
      } finally {
        resolving -= 1;
      }
    },
    resolving: () => resolving,
    stop() {
      stopping = true;
    },
  };
}
