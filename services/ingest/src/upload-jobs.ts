import { documentJobPayload, type FailureCode, failures } from '@vortex/contracts';
import type { Logger, Metrics } from '@vortex/observability';
import type { JobRecord, Registry } from '@vortex/registry';
import type { JobSource, ResolvedJob } from '@vortex/runtime';
import { countEnd, type IngestEnd } from './ingest-ends.ts';

/**
 * The registry as the upload stage's runtime knows it (`JobSource`): who a claimed id is, and where its tries,
 * returns and bad ends are noted. Good ends are noted by `publishVersion`, with the document.
 */
export function createUploadJobs(deps: {
  registry: Pick<Registry, 'claimJob' | 'retryJob' | 'releaseJob' | 'endJob' | 'cancelJob' | 'versionState'>;
  metrics: Metrics;
  log: Logger;
  /** A job has left its place in its tenant's window: it ended, or is put off. */
  onPlaceFree: () => void;
}): JobSource & { forget(id: string): void } {
  const { registry, metrics, log, onPlaceFree } = deps;
  /** Jobs in this process' hands: an end is told by id alone. */
  const claimed = new Map<string, JobRecord>();

  async function resolve(id: string): Promise<ResolvedJob | null> {
    const claim = await registry.claimJob(id);
    if (claim.outcome === 'unknown') return null;
    const { job } = claim;
    if (claim.outcome === 'over') return letGo(job);
    claimed.set(id, job);
    return {
      tenant: job.tenant,
      type: job.type,
      attempt: job.retryCount + 1,
      // This delivery is one of them; without an end, none of the others had one.
      redelivered: Math.max(0, job.deliveries - 1),
      first_at: job.createdAt,
      // A list of ids does not say since when one waits; of a first delivery it is known.
      ...(job.retryCount === 0 && job.deliveries <= 1 && { enqueued_at: job.createdAt }),
      ...(job.traceparent !== null && { traceparent: job.traceparent }),
    };
  }

  async function letGo(job: JobRecord): Promise<ResolvedJob> {
    const { id, status, completedAt, cancelRequested } = job;
    if (completedAt === null && !cancelRequested) {
      // Its document is gone, and took the version along: nobody else would end it.
      await registry.endJob(id, 'cancelled', { code: 'cancelled', message: 'the document was deleted' });
    }
    onPlaceFree();
    return status === 'completed' || status === 'failed'
      ? { over: true, ended: status }
      : { over: true, ended: 'cancelled' };
  }

  return {
    resolve,
    forget(id) {
      claimed.delete(id);
      onPlaceFree();
    },
    async onRetry(id, error) {
      claimed.delete(id);
      await registry.retryJob(id, error);
      onPlaceFree();
    },
    async onRelease(id) {
      claimed.delete(id);
      await registry.releaseJob(id);
      onPlaceFree();
    },
    async onEnd(id, error) {
      const job = claimed.get(id);
      if (error.code === 'cancelled') {
        // Also when it was asked for in Redis alone. What was stored must go before the job says `cancelled`:
        // `forgetVersion` ends it then; without a version there is nothing to wait for.
        if (job !== undefined) await registry.cancelJob(job.tenant, id);
        const state =
          job === undefined ? null : await registry.versionState(job.tenant, job.documentId, job.version);
        if (state === null) await registry.endJob(id, 'cancelled', error);
      } else await registry.endJob(id, 'failed', error);
      claimed.delete(id);
      onPlaceFree();
      if (job === undefined) return;
      log.info({ job_id: id, code: error.code }, 'the document was not ingested');
      const payload = documentJobPayload.safeParse(job.payload);
      countEnd(metrics, endOf(error.code), {
        mediaType: payload.data?.media_type ?? '',
        bytes: payload.data?.bytes ?? 0,
      });
    },
  };
}

function endOf(code: FailureCode): IngestEnd {
  if (code === 'cancelled') return 'cancelled';
  // What the document itself is to blame for, as its status says.
  const { status } = failures[code];
  return status >= 400 && status < 500 ? 'rejected' : 'failed';
}
