import { connect, type QueueLog, type RedisOptions } from './connect.ts';
import { keys } from './keys.ts';
import { runScript, word } from './scripts.ts';

/**
 * What the world sees of tracked jobs in Redis: the hash `job:<id>`, the set `jobs:active`, the list
 * `jobs:recent`. The scripts that admit, retry and end jobs keep it; a worker that knows how far it is says
 * so here. It is a view: of documents the registry has the truth, and nothing waits for this.
 */
export interface LiveView {
  /**
   * One script. Never after the job's end, and never less progress than was said within the same try.
   * False when nothing was written: the job has ended, has no hash (Redis was wiped), or Redis is away.
   */
  progress(id: string, progress: ShownProgress): Promise<boolean>;
  close(): void;
}

export interface ShownProgress {
  /** Per cent, 0 to 100. */
  progress: number;
  message: string;
  stage?: string;
  /** Null: unknown, the field goes. */
  etaMs?: number | null;
}

export function createLiveView(redis: RedisOptions, log?: QueueLog): LiveView {
  const client = connect(redis, 'fail-fast', log);
  return {
    async progress(id, { progress, message, stage, etaMs }) {
      const fields = {
        progress: String(progress),
        message,
        ...(stage !== undefined && { stage }),
        ...(etaMs !== undefined && { eta_ms: etaMs === null ? null : String(etaMs) }),
        updated_at: new Date().toISOString(),
      };
      try {
        return word(await runScript(client, 'mark', [keys.job(id)], [JSON.stringify(fields)])) === 'OK';
      } catch (error) {
        log?.debug({ job_id: id, error: String(error) }, 'progress is not shown: Redis is down or slow');
        return false;
      }
    },
    close: () => client.disconnect(),
  };
}

/** Who may see a tracked job. A hash that names no tenant is of the default one: it was written by hand. */
export interface JobOwner {
  tenant: string;
  /** That it is about, for whoever may see some collections only. */
  collection?: string | undefined;
}

/** The fields a tracked job's hash begins with; those without a value yet are absent. */
export function firstFields(
  id: string,
  type: string,
  owner: JobOwner,
  more: {
    status?: string;
    payload?: Record<string, unknown> | undefined;
    maxRetries?: number | undefined;
  } = {},
): Record<string, string> {
  const at = new Date().toISOString();
  const { status, payload, maxRetries } = more;
  return {
    id,
    type,
    tenant: owner.tenant,
    ...(owner.collection !== undefined && { collection: owner.collection }),
    ...(status !== undefined && { status }),
    progress: '0',
    ...(payload !== undefined && { payload: JSON.stringify(payload) }),
    retry_count: '0',
    ...(maxRetries !== undefined && { max_retries: String(maxRetries) }),
    created_at: at,
    updated_at: at,
  };
}
