import type { JobResponse, JobStatus } from '@vortex/contracts';
import { shortened } from './documents-command.ts';
import { duration } from './duration.ts';
import { table } from './table.ts';
import { describeFields, gather, type InstanceOptions, printJson, useGateway } from './use-gateway.ts';

export async function listJobs(
  options: InstanceOptions & { state?: JobStatus; collection?: string; limit: number; json: boolean },
): Promise<void> {
  const { state, collection } = options;
  const jobs = await useGateway(options, (client) =>
    gather(options.limit, async (limit, after) => {
      const page = await client.jobs.list({
        limit,
        ...(state !== undefined && { state }),
        ...(collection !== undefined && { collection }),
        ...(after !== undefined && { after }),
      });
      return { items: page.jobs, next: page.next };
    }),
  );
  if (options.json) printJson({ jobs });
  else console.log(describeJobs(jobs));
}

function describeJobs(jobs: readonly JobResponse[]): string {
  if (jobs.length === 0) return 'No jobs.';
  return table(
    ['job', 'type', 'status', '%', 'what', 'collection', 'message'],
    jobs.map((job) => {
      const { filename, external_id, collection } = job.payload ?? {};
      return [
        job.id,
        job.type,
        job.status,
        Math.floor(job.progress),
        shortened(String(filename ?? external_id ?? job.document_id ?? ''), 40),
        typeof collection === 'string' ? collection : null,
        job.error === null ? (job.message ?? '') : `${job.error} (${job.error_code ?? 'unknown'})`,
      ];
    }),
  );
}

/** False when the job was followed and did not complete. */
export async function showJob(
  id: string,
  options: InstanceOptions & { follow: boolean; json: boolean },
): Promise<boolean> {
  return useGateway(options, async (client) => {
    if (options.follow) {
      for await (const { progress, message, status, eta_ms } of client.jobEvents(id)) {
        const left = eta_ms === null ? '' : `, ${duration(eta_ms)} left`;
        process.stderr.write(`  ${Math.floor(progress)} %  ${message ?? status}${left}\n`);
      }
    }
    const job = await client.job(id);
    if (options.json) printJson(job);
    else console.log(describeFields(job));
    return !options.follow || job.status === 'completed';
  });
}

export async function cancelJobs(
  ids: readonly string[],
  options: InstanceOptions & { json: boolean },
): Promise<void> {
  await useGateway(options, async (client) => {
    for (const id of ids) {
      const accepted = await client.jobs.cancel(id);
      if (options.json) printJson(accepted);
      else console.log(`${id}: ${accepted.message}`);
    }
  });
}

export async function retryJobs(
  ids: readonly string[],
  options: InstanceOptions & { json: boolean },
): Promise<void> {
  await useGateway(options, async (client) => {
    for (const id of ids) {
      const accepted = await client.jobs.retry(id);
      if (options.json) printJson(accepted);
      else console.log(`${id}: ${accepted.message}`);
    }
  });
}
