import type { JobRecord } from '../jobs.ts';
import { jobFrom, number, text } from '../rows.ts';
import { type UploadTurnsRegistry, workerSeenMs } from '../upload-turns.ts';
import { tenantSeenMs, uploadWindow, usualSlots } from '../upload-window.ts';
import { all, first, run, type SqlSession, type Steps } from './steps.ts';

/** Of the tenant's row so much may be missing: it is written once in a while, not with every document. */
const seenAgainMs = 5_000;
/** The same of a worker's: an idle installation should write next to nothing. */
const workerAgainMs = workerSeenMs / 3;

/** Literally the condition of the index `jobs_waiting`, and so on. */
const isWaiting = "completed_at IS NULL AND cancel_requested = 0 AND turn = 'waiting'";
const isReleased = "completed_at IS NULL AND cancel_requested = 0 AND turn = 'released'";

export function uploadTurnsOf({ now, read, noteUnsynced }: SqlSession): UploadTurnsRegistry {
  return {
    letWait: (tenant, jobIds) =>
      noteUnsynced(function* () {
        yield* lockTurns();
        yield* run(
          "UPDATE jobs SET turn = 'waiting' WHERE id IN :jobIds AND tenant = :tenant AND turn = 'coming' AND completed_at IS NULL",
          { tenant, jobIds },
        );
        const at = now();
        return yield* fillWindow(tenant, yield* readShares(at), at);
      }),

    async releaseJobs() {
      // Asked after every end, and nearly always for nothing: a transaction only when there is work.
      const some = await read(() => first(`SELECT 1 AS waits FROM jobs WHERE ${isWaiting} LIMIT 1`));
      if (some === undefined) return [];
      return noteUnsynced(function* () {
        yield* lockTurns();
        const at = now();
        const shares = yield* readShares(at);
        const released: JobRecord[][] = [];
        for (const tenant of yield* waitingTenants()) {
          released.push(yield* fillWindow(tenant, shares, at));
        }
        return inTurns(released);
      });
    },

    async countWaitingJobs() {
      const row = await read(() => first(`SELECT count(*) AS waiting FROM jobs WHERE ${isWaiting}`));
      return row === undefined ? 0 : number(row, 'waiting');
    },

    noteUploadWorker: (name, slots) =>
      noteUnsynced(function* () {
        const at = now();
        const known = yield* first('SELECT slots, seen_at FROM upload_workers WHERE name = :name', { name });
        if (known?.slots === slots && number(known, 'seen_at') > at - workerAgainMs) return;
        yield* run(
          `INSERT INTO upload_workers (name, slots, seen_at) VALUES (:name, :slots, :at)
           ON CONFLICT (name) DO UPDATE SET slots = excluded.slots, seen_at = excluded.seen_at`,
          { name, slots, at },
        );
        yield* run('DELETE FROM upload_workers WHERE seen_at < :before', { before: at - workerSeenMs });
        yield* run('DELETE FROM upload_tenants WHERE seen_at < :before', { before: at - tenantSeenMs });
      }),

    forgetUploadWorker: (name) =>
      noteUnsynced(() => run('DELETE FROM upload_workers WHERE name = :name', { name })),
  };
}

/** What decides about windows: all slots, and what each tenant that shares them has released. */
interface Shares {
  slots: number;
  released: Map<string, number>;
}

export function* readShares(at: number): Steps<Shares> {
  const workers = yield* first('SELECT SUM(slots) AS slots FROM upload_workers WHERE seen_at > :since', {
    since: at - workerSeenMs,
  });
  const slots = Number(workers?.slots ?? 0);
  const released = new Map<string, number>();
  for (const row of yield* all('SELECT tenant FROM upload_tenants WHERE seen_at > :since', {
    since: at - tenantSeenMs,
  })) {
    released.set(text(row, 'tenant'), 0);
  }
  for (const row of yield* all(
    `SELECT tenant, count(*) AS jobs FROM jobs WHERE ${isReleased} GROUP BY tenant`,
  )) {
    released.set(text(row, 'tenant'), number(row, 'jobs'));
  }
  return { slots: slots > 0 ? slots : usualSlots, released };
}

/** How many jobs more of the tenant may be released. */
export function roomOf(tenant: string, { slots, released }: Shares): number {
  const others = [...released].flatMap(([one, jobs]) => (one === tenant ? [] : [jobs]));
  return Math.max(0, uploadWindow(slots, others) - (released.get(tenant) ?? 0));
}

/**
 * How many documents that come now are released at once. Where some wait, none: it would be served before them. (The
 * next end, or `letWait`, releases the oldest.)
 */
export function* roomForNew(tenant: string, at: number): Steps<number> {
  yield* noteTenant(tenant, at);
  const waits = yield* first(`SELECT 1 AS waits FROM jobs WHERE tenant = :tenant AND ${isWaiting} LIMIT 1`, {
    tenant,
  });
  return waits === undefined ? roomOf(tenant, yield* readShares(at)) : 0;
}

/** Read first: of a tenant's documents that come at once none waits for another's row. */
function* noteTenant(tenant: string, at: number): Steps<void> {
  const seen = yield* first('SELECT seen_at FROM upload_tenants WHERE tenant = :tenant', { tenant });
  if (seen !== undefined && number(seen, 'seen_at') > at - seenAgainMs) return;
  yield* run(
    `INSERT INTO upload_tenants (tenant, seen_at) VALUES (:tenant, :at)
     ON CONFLICT (tenant) DO UPDATE SET seen_at = excluded.seen_at`,
    { tenant, at },
  );
}

/** Two who release at once would fill one window twice. (An acceptance does not wait for them: it may go beyond by a few.) */
function* lockTurns(): Steps<void> {
  yield* first("SELECT value FROM meta WHERE name = 'upload_turns' FOR UPDATE");
}

/** A step from tenant to tenant, whatever each has waiting. */
function* waitingTenants(): Steps<string[]> {
  const rows = yield* all(
    `WITH RECURSIVE waiting (tenant) AS (
       SELECT MIN(tenant) FROM jobs WHERE ${isWaiting}
       UNION ALL
       SELECT (SELECT MIN(jobs.tenant) FROM jobs WHERE jobs.tenant > waiting.tenant AND ${isWaiting})
         FROM waiting WHERE waiting.tenant IS NOT NULL)
     SELECT tenant FROM waiting WHERE tenant IS NOT NULL`,
  );
  return rows.map((row) => text(row, 'tenant'));
}

/** Releases the tenant's oldest waiting jobs, as far as its window goes, and counts them in. */
function* fillWindow(tenant: string, shares: Shares, at: number): Steps<JobRecord[]> {
  const limit = roomOf(tenant, shares);
  if (limit === 0) return [];
  const rows = yield* all(
    `SELECT * FROM jobs WHERE tenant = :tenant AND ${isWaiting} ORDER BY created_at, id LIMIT :limit FOR UPDATE SKIP LOCKED`,
    { tenant, limit },
  );
  if (rows.length === 0) return [];
  const jobs = rows.map(jobFrom);
  // Touched, so that no sweeper takes it for lost before its id is on the list.
  yield* run("UPDATE jobs SET turn = 'released', updated_at = :at WHERE id IN :jobIds", {
    jobIds: jobs.map(({ id }) => id),
    at,
  });
  shares.released.set(tenant, (shares.released.get(tenant) ?? 0) + jobs.length);
  return jobs.map((job) => ({ ...job, turn: 'released', updatedAt: at }));
}

/** The first of each, then the second of each … */
function inTurns<Item>(lines: readonly Item[][]): Item[] {
  const longest = Math.max(0, ...lines.map((line) => line.length));
  return Array.from({ length: longest }, (_, place) =>
    lines.flatMap((line) => line.slice(place, place + 1)),
  ).flat();
}
