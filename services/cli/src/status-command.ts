import { dataFolder, launcherName } from './folders.ts';
import { gatewayUrl, notRunning } from './instance-address.ts';
import { breakerText } from './replicas-command.ts';
import { readRemoteStatus, readStatus, type Status } from './status.ts';
import { table } from './table.ts';

/** Prints the state of an instance; false when it is not ready. @throws CommandProblem when `--url` is no address */
export async function showStatus(options: { data?: string; url?: string; json: boolean }): Promise<boolean> {
  const data = dataFolder(options.data);
  const status =
    options.url === undefined ? await readStatus(data) : await readRemoteStatus(gatewayUrl(options));
  if (status === null && !options.json) throw notRunning(data);
  console.log(
    options.json ? JSON.stringify(status ?? nothing(data), null, 2) : describe(status ?? nothing(data)),
  );
  return status?.ready ?? false;
}

function nothing(data: string): Status {
  return {
    ready: false,
    gateway_url: null,
    redis_url: null,
    redis_memory: null,
    cache_url: null,
    llm: null,
    data,
    phase: null,
    supervisor: null,
    services: [],
    queues: [],
    replicas: [],
    open_jobs: null,
  };
}

export function describe(status: Status): string {
  const state = status.ready ? 'ready' : `not ready${status.phase === null ? '' : ` (${status.phase})`}`;
  const megabytes = (bytes: number | null) => (bytes === null ? null : Math.round(bytes / 1e6));
  const resident = [status.supervisor, ...status.services].map((entry) => entry?.rss_bytes ?? null);
  const total = resident.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0);
  const parts = [
    `${state}    ${status.gateway_url ?? ''}    ${status.redis_url ?? ''}${total > 0 ? `    ${megabytes(total)} MB resident` : ''}`,
    ...fullRedis(status),
    table(
      ['service', 'worker', 'pid', 'url', 'ready', 'restarts', 'MB'],
      status.services.map((entry) => [
        entry.name,
        entry.worker_name,
        entry.pid,
        entry.url,
        entry.ready === true ? 'yes' : `no: ${entry.reasons.join(', ')}`,
        entry.restarts,
        megabytes(entry.rss_bytes),
      ]),
    ),
  ];
  if (status.queues.length > 0) {
    parts.push(
      table(
        ['queue', 'waiting', 'in flight', 'retry', 'dead', 'oldest ms'],
        status.queues.map((queue) => [
          queue.name,
          queue.waiting,
          queue.in_flight,
          queue.retry ?? elsewhere(queue),
          queue.dead ?? elsewhere(queue),
          queue.oldest_age_ms,
        ]),
      ),
    );
  }
  if (status.open_jobs !== null && status.open_jobs > 0) {
    parts.push(
      `${status.open_jobs} job${status.open_jobs === 1 ? '' : 's'} open: ${launcherName()} jobs list`,
    );
  }
  if (status.replicas.length > 0) {
    parts.push(
      table(
        ['replica', 'worker', 'load', 'slots', 'state', 'breaker'],
        status.replicas.map((replica) => [
          replica.url,
          replica.worker_name,
          replica.load,
          replica.slots,
          replica.state,
          replica.breaker === null ? null : breakerText(replica.breaker),
        ]),
      ),
    );
  }
  return parts.join('\n\n');
}

function fullRedis({ redis_memory: memory }: Status): string[] {
  if (memory === null || !memory.full) return [];
  const megabytes = (bytes: number | null) => Math.round((bytes ?? 0) / 1e6);
  const used = `${megabytes(memory.used_bytes)} of ${megabytes(memory.max_bytes)} MB`;
  return [
    `Redis is full (${used}): new work is refused with 503 until it has room; what was admitted goes on.`,
  ];
}

/** Where a list is known and its set is not its own, it is shown once, with the list that it belongs to. */
function elsewhere({ waiting }: Status['queues'][number]): string | null {
  return waiting === null ? null : '';
}
