import { type JobRegistry, mostSurvivedReads } from '../jobs.ts';
import { jobEventFrom, jobFrom, number, text } from '../rows.ts';
import { idempotencyKeysLiveMs } from './acceptance.ts';
import { changeJob, isOpen, lockJob, requestCancel, type StoredJob } from './change-job.ts';
import {
  findVersion,
  leaveBuilding,
  lockDocument,
  noteDocumentError,
  refreshState,
} from './document-rows.ts';
import { endUnfinished, tellFailed } from './end-job.ts';
import { copyVersion, reopened } from './reopen-job.ts';
import { all, first, type Row, run, type SqlSession, type Steps } from './steps.ts';

const defaultJobs = 50;
const defaultEvents = 500;

export function jobsOf({ now, read, write, note, noteUnsynced }: SqlSession): JobRegistry {
  return {
    async getJob(tenant, jobId) {
      const row = await read(() =>
        first('SELECT * FROM jobs WHERE id = :jobId AND tenant = :tenant', { jobId, tenant }),
      );
      return row === undefined ? null : jobFrom(row);
    },

    async tenantOfJob(jobId) {
      const row = await read(() => first('SELECT tenant FROM jobs WHERE id = :jobId', { jobId }));
      return row === undefined ? null : text(row, 'tenant');
    },

    async listJobs(tenant, filter = {}) {
      const { status, collection, collections, documentId, after } = filter;
      const conditions = ['tenant = :tenant'];
      if (status !== undefined) conditions.push('status = :status');
      if (collection !== undefined) conditions.push('collection = :collection');
      if (collections !== undefined) conditions.push('collection IN :collections');
      if (documentId !== undefined) conditions.push('document_id = :documentId');
      if (after !== undefined) conditions.push('(created_at, id) < (:afterAt, :afterId)');
      const sql = `SELECT * FROM jobs WHERE ${conditions.join(' AND ')} ORDER BY created_at DESC, id DESC LIMIT :limit`;
      const place = { afterAt: after?.createdAt, afterId: after?.id };
      const named = { status, collection, collections, documentId };
      const values = { tenant, ...named, ...place, limit: filter.limit ?? defaultJobs };
      return (await read(() => all(sql, defined(values)))).map(jobFrom);
    },

    async jobEvents(tenant, jobId, after, limit = defaultEvents) {
      const sql = `SELECT e.* FROM job_events e JOIN jobs j ON j.id = e.job_id
                    WHERE e.job_id = :jobId AND j.tenant = :tenant AND e.sequence > :after
                    ORDER BY e.sequence LIMIT :limit`;
      return (await read(() => all(sql, { tenant, jobId, after, limit }))).map(jobEventFrom);
    },

    async newestEvents(tenant, jobIds) {
      if (jobIds.length === 0) return new Map();
      const sql = 'SELECT id, last_event FROM jobs WHERE id IN :jobIds AND tenant = :tenant';
      const rows = await read(() => all(sql, { tenant, jobIds }));
      return new Map(rows.map((row) => [text(row, 'id'), number(row, 'last_event')]));
    },

    claimJob: (jobId) =>
      write(function* () {
        const located = yield* lockDocumentOfJob(jobId);
        if (located === null) return { outcome: 'unknown' } as const;
        const { job, document } = located;
        const isGone = document === undefined || document.state === 'deleting';
        if (!isOpen(job) || job.record.cancelRequested || isGone) {
          return { outcome: 'over', job: job.record } as const;
        }
        const at = now();
        const { startedAt, message, stage, deliveries } = job.record;
        const claimed = yield* changeJob(
          job,
          {
            status: 'processing',
            message: stage === null ? 'Started' : message,
            error: null,
            errorCode: null,
            deliveries: deliveries + 1,
            turn: 'released',
            startedAt: startedAt ?? at,
          },
          at,
        );
        if (document.state === 'pending') {
          const { documentId } = job.record;
          yield* run("UPDATE documents SET state = 'processing', updated_at = :at WHERE id = :documentId", {
            documentId,
            at,
          });
        }
        return { outcome: 'run', job: claimed.record } as const;
      }),

    noteProgress: (jobId, { stage, progress, message, etaMs, committed }) =>
      noteUnsynced(function* () {
        const job = yield* lockJob(jobId);
        if (job === null || job.record.status !== 'processing' || job.record.cancelRequested) return;
        const change = {
          stage,
          message,
          etaMs,
          progress: Math.max(job.record.progress, Math.min(progress, 100)),
        };
        yield* changeJob(job, committed === true ? { ...change, deliveries: 0 } : change, now());
      }),

    noteRead: (jobId) =>
      noteUnsynced(() =>
        run(
          `UPDATE jobs SET deliveries = deliveries - 1, survived_reads = survived_reads + 1
            WHERE id = :jobId AND status = 'processing' AND deliveries > 1 AND survived_reads < CAST(:most AS BIGINT)`,
          { jobId, most: mostSurvivedReads },
        ),
      ),

    retryJob: (jobId, error) =>
      note(function* () {
        const job = yield* lockJob(jobId);
        if (job === null || !isOpen(job) || job.record.cancelRequested) return;
        yield* changeJob(
          job,
          {
            status: 'retrying',
            stage: null,
            progress: 0,
            message: `Trying again: ${error.message}`,
            etaMs: null,
            error: error.message,
            errorCode: error.code,
            retryCount: job.record.retryCount + 1,
            deliveries: 0,
            turn: 'aside',
          },
          now(),
        );
      }),

    releaseJob: (jobId) =>
      note(function* () {
        const job = yield* lockJob(jobId);
        if (job === null || !isOpen(job)) return;
        const deliveries = Math.max(job.record.deliveries - 1, 0);
        const isRunning = job.record.status === 'processing' && !job.record.cancelRequested;
        yield* changeJob(
          job,
          isRunning
            ? { status: 'queued', etaMs: null, deliveries, turn: 'aside' }
            : { deliveries, turn: 'aside' },
          now(),
        );
      }),

    endJob: (jobId, status, error) =>
      write(function* () {
        const located = yield* lockDocumentOfJob(jobId);
        if (located === null || !isOpen(located.job)) return;
        const { job, document } = located;
        const version = yield* findVersion(job.record.documentId, job.record.version);
        // What it stored is still there: `forgetVersion` ends it, and not before.
        if (version !== undefined && version.state !== 'building' && job.record.cancelRequested) return;
        const at = now();
        if (version?.state === 'building') {
          yield* leaveBuilding(version, 'failed');
          yield* noteDocumentError(job.record.documentId, error, at);
        }
        yield* endUnfinished(job, status, error, at);
        if (status === 'failed' && document !== undefined && document.state !== 'deleting') {
          yield* tellFailed(document, job, error, at);
        }
      }),

    cancelJob: (tenant, jobId) =>
      write(function* () {
        const located = yield* lockDocumentOfJob(jobId);
        if (located === null || located.job.record.tenant !== tenant) return 'unknown';
        const { job } = located;
        if (!isOpen(job)) return 'over';
        const at = now();
        const { documentId } = job.record;
        yield* requestCancel(job, 'Cancelling', at);
        const version = yield* findVersion(documentId, job.record.version);
        if (version?.state === 'building') {
          yield* leaveBuilding(version, 'failed');
          yield* noteDocumentError(documentId, { code: 'cancelled', message: 'the job was cancelled' }, at);
        }
        return 'cancelling';
      }),

    reopenJob: (tenant, jobId) =>
      write(function* () {
        const located = yield* lockDocumentOfJob(jobId);
        if (located === null || located.job.record.tenant !== tenant) return 'unknown';
        const { job, document } = located;
        if (isOpen(job)) return 'not_ended';
        if (job.record.status === 'completed') return 'completed';
        if (document === undefined || document.state === 'deleting') return 'gone';
        const version = number(document, 'next_version');
        if (version !== job.record.version + 1) return 'overtaken';
        const again = yield* copyVersion(job.record.documentId, job.record.version, version, now());
        if (!again) return 'gone';
        yield* changeJob(job, reopened(version, 'coming'), now());
        yield* refreshState(job.record.documentId);
        return 'reopened';
      }),

    async openJobs({ untouchedSince, limit }) {
      const sql = `SELECT * FROM jobs WHERE completed_at IS NULL AND turn <> 'waiting' AND updated_at < :untouchedSince
                    ORDER BY updated_at, id LIMIT :limit`;
      return (await read(() => all(sql, { untouchedSince, limit }))).map(jobFrom);
    },

    async countOpenJobs() {
      // Each of the two has an index.
      const sql = `SELECT (SELECT count(*) FROM jobs WHERE completed_at IS NULL AND turn <> 'waiting')
                        + (SELECT count(*) FROM jobs WHERE completed_at IS NULL AND turn = 'waiting') AS open`;
      const row = await read(() => first(sql));
      return row === undefined ? 0 : number(row, 'open');
    },

    forgetOldJobs: (endedBefore) =>
      write(function* () {
        yield* run('DELETE FROM idempotency_keys WHERE created_at < :before', {
          before: now() - idempotencyKeysLiveMs,
        });
        const sql =
          'DELETE FROM jobs WHERE completed_at IS NOT NULL AND completed_at < :endedBefore RETURNING id';
        return (yield* all(sql, { endedBefore })).length;
      }),
  };
}

/** The job with its document, the document's collection locked first (document-rows.ts says why). */
function* lockDocumentOfJob(jobId: string): Steps<{ job: StoredJob; document: Row | undefined } | null> {
  const row = yield* first('SELECT * FROM jobs WHERE id = :jobId', { jobId });
  if (row === undefined) return null;
  const { tenant, documentId } = jobFrom(row);
  const document = yield* lockDocument(tenant, documentId);
  const job = yield* lockJob(jobId);
  return job === null ? null : { job, document };
}

function defined<Value>(values: Record<string, Value | undefined>): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, Value] => entry[1] !== undefined),
  );
}
