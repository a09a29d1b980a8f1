import { endedStatuses } from '@vortex/contracts';
import type { JobFilter } from '@vortex/registry';
import type { GatewayDependencies } from '../dependencies.ts';

/**
 * For jobs whose end the registry has noted. Every worker asks it before it begins and before each group; through Redis
 * those that run hear it at once. Without Redis it only takes longer, so this never throws.
 */
export async function cancelAtWorkers(
  { submitter, log }: Pick<GatewayDependencies, 'submitter' | 'log'>,
  ids: readonly string[],
): Promise<void> {
  const told = await Promise.allSettled(ids.map((id) => submitter.cancel(id)));
  const missed = told.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (missed.length === 0) return;
  log.warn(
    { err: missed[0], missed: missed.length, job_id: ids[0] },
    'cancellations did not reach redis; the workers find them noted',
  );
}

/** The same for the open jobs of what was just deleted. */
export async function cancelJobsOf(
  parts: Pick<GatewayDependencies, 'registry' | 'submitter' | 'log'>,
  tenant: string,
  deleted: Pick<JobFilter, 'collection' | 'documentId'>,
): Promise<void> {
  const jobs = await parts.registry.listJobs(tenant, { ...deleted, limit: 1000 });
  const open = jobs.filter(({ status }) => !endedStatuses.has(status));
  await cancelAtWorkers(
    parts,
    open.map(({ id }) => id),
  );
}
