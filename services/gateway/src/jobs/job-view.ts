import {
  defaultTenant,
  endedStatuses,
  type JobEvent,
  type JobResponse,
  jobResponse,
  jobStage,
  jobStatus,
} from '@vortex/contracts';
import { QueueUnavailable } from '@vortex/queue';
import type { JobEventRecord, JobRecord } from '@vortex/registry';
import type { Caller } from '../access/caller.ts';
import { maySee } from '../access/collection-access.ts';
import type { GatewayDependencies } from '../dependencies.ts';

/**
 * A job as the API shows it, from where the truth about it stands: documents' in the registry; in Redis alone
 * are asynchronous questions, and documents of `POST /ingest` that no worker has taken yet.
 */
export interface JobView {
  job: JobResponse;
  source: 'registry' | 'redis';
}

/**
 * Null: nobody knows it (any more), or the caller may not: it is another tenant's, or of a collection that the key is not
 * for. @throws QueueUnavailable when it is not in the registry and Redis is away.
 */
export async function viewJob(
  deps: Pick<GatewayDependencies, 'registry' | 'inspector'>,
  caller: Pick<Caller, 'tenant' | 'collections'>,
  id: string,
): Promise<JobView | null> {
  const record = await deps.registry.getJob(caller.tenant, id);
  if (record !== null && maySee(caller, record.collection))
    return { job: jobOfRecord(record), source: 'registry' };
  // For a record that may not be seen too: what is refused must take as long as what is unknown.
  const job = await hashedJob(deps, caller, id);
  return job === null || record !== null ? null : { job, source: 'redis' };
}

async function hashedJob(
  { registry, inspector }: Pick<GatewayDependencies, 'registry' | 'inspector'>,
  caller: Pick<Caller, 'tenant' | 'collections'>,
  id: string,
): Promise<JobResponse | null> {
  const owner = await fromRedis(inspector.jobOwner(id));
  const isOurs = owner?.tenant === caller.tenant && mayHear(caller, owner.collection);
  // One that was pushed by hand names nobody, and so may what is left of a document's job: that one is in the registry.
  // Also looked for where the answer is known to be no: how long that takes is not to tell what was there.
  const listedFor = isOurs ? null : await registry.tenantOfJob(id);
  if (owner === null) return null;
  const isNobodys = owner.tenant === undefined && (listedFor ?? defaultTenant) === caller.tenant;
  if (!isOurs && !(isNobodys && mayHear(caller, owner.collection))) return null;
  const fields = await fromRedis(inspector.jobStatus(id));
  if (fields === null) return null;
  const job = jobOfHash(id, fields);
  // `default` was asked, and another collection may have been meant.
  const answeredFrom = job.result?.collection;
  return typeof answeredFrom === 'string' && !maySee(caller, answeredFrom) ? null : job;
}

async function fromRedis<Read>(read: Promise<Read>): Promise<Read> {
  try {
    return await read;
  } catch (error) {
    throw new QueueUnavailable('the job could not be read: Redis is down or slow', error);
  }
}

function mayHear(caller: Pick<Caller, 'collections'>, collection: string | undefined): boolean {
  return caller.collections === null || (collection !== undefined && maySee(caller, collection));
}

export function hasEnded(job: Pick<JobResponse, 'status'>): boolean {
  return endedStatuses.has(job.status);
}

export function jobOfRecord(record: JobRecord): JobResponse {
  const { id, type, status, progress, message, stage, etaMs, payload, result, error, errorCode } = record;
  return {
    ...{ id, type, status, progress, message, stage, eta_ms: etaMs, payload, result, error },
    error_code: errorCode,
    document_id: record.documentId,
    retry_count: record.retryCount,
    max_retries: record.maxRetries,
    created_at: timeOf(record.createdAt),
    updated_at: timeOf(record.updatedAt),
    started_at: timeOf(record.startedAt),
    completed_at: timeOf(record.completedAt),
  };
}

/** A hash knows only text: numbers, times and objects are brought back to what they were. */
export function jobOfHash(id: string, fields: Record<string, string>): JobResponse {
  const result = objectOrNull(fields.result);
  return {
    id: fields.id ?? id,
    type: fields.type ?? 'query',
    status: jobStatus.safeParse(fields.status).data ?? 'processing',
    progress: Math.min(100, numberOr(fields.progress, 0)),
    message: textOrNull(fields.message),
    stage: jobStage.safeParse(fields.stage).data ?? null,
    eta_ms: numberOr(fields.eta_ms, null),
    payload: objectOrNull(fields.payload),
    result,
    error: textOrNull(fields.error),
    error_code: textOrNull(fields.error_code),
    document_id: typeof result?.document_id === 'string' ? result.document_id : null,
    retry_count: Math.floor(numberOr(fields.retry_count, 0)),
    max_retries: Math.floor(numberOr(fields.max_retries, 0)),
    created_at: hashTime(fields.created_at),
    updated_at: hashTime(fields.updated_at),
    started_at: hashTime(fields.started_at),
    completed_at: hashTime(fields.completed_at),
  };
}

export function eventOfRecord(id: string, record: JobEventRecord): JobEvent {
  const { sequence, status, progress, message, stage, etaMs, error, errorCode } = record;
  return {
    ...{ id, sequence, status, progress, message, stage, eta_ms: etaMs, error },
    error_code: errorCode,
    updated_at: timeOf(record.at),
  };
}

/** A hash has no events: its state is one, numbered by the moment of its last change (epoch ms). */
export function eventOfHash(job: JobResponse): JobEvent {
  const { id, status, progress, message, stage, eta_ms, error, error_code, updated_at } = job;
  const changedAt = Date.parse(updated_at ?? job.created_at ?? '');
  return {
    ...{ id, status, progress, message, stage, eta_ms, error, error_code, updated_at },
    sequence: Number.isFinite(changedAt) ? Math.max(1, changedAt) : 1,
  };
}

function timeOf(at: number): string;
function timeOf(at: number | null): string | null;
function timeOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

function textOrNull(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}

function numberOr<Other extends number | null>(value: string | undefined, other: Other): number | Other {
  if (value === undefined || value === '') return other;
  const number = Number(value);
  return Number.isFinite(number) ? Math.max(0, number) : other;
}

/** Scripts write epoch milliseconds (Redis has no calendar); the API speaks RFC 3339. */
function hashTime(value: string | undefined): string | null {
  if (value === undefined || value === '') return null;
  const ms = Number(value);
  return Number.isFinite(ms) ? timeOf(ms) : value;
}

function objectOrNull(value: string | undefined): JobResponse['result'] {
  if (value === undefined || value === '') return null;
  try {
    return jobResponse.shape.result.safeParse(JSON.parse(value)).data ?? null;
  } catch {
    // Not JSON: no script of ours wrote it, and the status is worth showing without it.
    return null;
  }
}
