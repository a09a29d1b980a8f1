import { createHash } from 'node:crypto';
import {
  type FailedTry,
  jobHeader,
  jobId,
  maxTries,
  type StageRow,
  stageOfList,
  stages,
} from '@vortex/contracts';
import { nestsTooDeep } from './nesting.ts';

/**
 * What delivery itself must read of an element, leniently: everything else of the envelope is the
 * stages' business. Used where a job is moved or ended by somebody who does not run it.
 */
export interface ElementHeader {
  id: string;
  /** Absent when it names none that can be one. */
  tenant: string | undefined;
  attempt: number;
  redelivered: number;
  deadlineAt: number | undefined;
  /** When it was put on its list for its first try, if it says so. */
  firstAt: number | undefined;
  replyTo: string | undefined;
  track: boolean;
  replica: { worker_name: string; url: string } | undefined;
  tries: unknown;
  timingsMs: Record<string, number>;
}

/** Null when the element is no JSON object or brings no usable id. */
export function readElementHeader(element: string): ElementHeader | null {
  const fields = parseObject(element);
  return fields === null ? null : headerOf(fields);
}

/**
 * The id of an element that brings none and whose stage allows that: 128 bits of the SHA-256 of its bytes,
 * so that every delivery of the same bytes is the same job.
 */
export function derivedId(element: string): string {
  return `job_${createHash('sha256').update(element).digest('hex').slice(0, 32)}`;
}

/**
 * The elements of this list are bare job ids (`elements: 'ids'` in the map), in waiting, in flight, retry set
 * and dead list alike. By the list and not by the look of an element: what is pushed by mistake on a list of
 * envelopes must be buried, not taken for an id.
 */
export function holdsIds(list: string): boolean {
  const stage = stageOfList(list);
  return stage !== null && (stages[stage] as StageRow).elements === 'ids';
}

/** The id that such an element is; null when it is none (an envelope went astray, bytes that are no text). */
export function bareId(element: string | Buffer): string | null {
  return typeof element === 'string' && !element.startsWith('{') && jobId.safeParse(element).success
    ? element
    : null;
}

/**
 * The header of an element on its list; null when it cannot be read. A body without an id gets the one its
 * stage derives, or it would never count as poison. A bare id says nothing of tries and deliveries: who knows
 * the job counts them.
 */
export function headerOnList(list: string, element: string): ElementHeader | null {
  if (holdsIds(list)) {
    const id = bareId(element);
    return id === null ? null : headerOf({ id, track: true });
  }
  const fields = parseObject(element);
  if (fields === null) return null;
  const stage = stageOfList(list);
  const derives = stage !== null && 'idFromBytes' in stages[stage] && fields.id === undefined;
  return headerOf(derives ? { ...fields, id: derivedId(element), track: true } : fields);
}

export function headerOf(fields: Record<string, unknown>): ElementHeader | null {
  const { id, tenant, attempt, redelivered, deadline_at, first_at, enqueued_at, reply_to, replica } = fields;
  if (typeof id !== 'string' || id === '' || id.length > 200) return null;
  return {
    id,
    tenant: jobHeader.shape.tenant.safeParse(tenant).data,
    attempt: isCount(attempt) ? Math.max(1, attempt) : 1,
    redelivered: isCount(redelivered) ? redelivered : 0,
    deadlineAt: typeof deadline_at === 'number' ? deadline_at : undefined,
    firstAt: [first_at, enqueued_at].find((at) => typeof at === 'number'),
    replyTo: typeof reply_to === 'string' && reply_to !== '' ? reply_to : undefined,
    track: fields.track === true,
    replica: isReplica(replica) ? replica : undefined,
    tries: fields.tries,
    timingsMs: isTimings(fields.timings_ms) ? fields.timings_ms : {},
  };
}

/** The element with some header fields changed (undefined removes one); the payload is carried over as it is, and so is a bare id. */
export function changeHeader(element: string, changes: Record<string, unknown>): string {
  const fields = parseObject(element);
  return fields === null ? element : JSON.stringify({ ...fields, ...changes });
}

/** Runs that were not the last, with one more; the newest of them. */
export function addTry(tries: unknown, one: FailedTry): FailedTry[] {
  return [...(Array.isArray(tries) ? (tries as FailedTry[]) : []), one].slice(-maxTries);
}

/** Null: no JSON object, or one that nests so deep that it could not be written again. */
export function parseObject(element: string): Record<string, unknown> | null {
  if (nestsTooDeep(element)) return null;
  try {
    const value: unknown = JSON.parse(element);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function isReplica(value: unknown): value is { worker_name: string; url: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { worker_name, url } = value as Record<string, unknown>;
  return typeof worker_name === 'string' && typeof url === 'string';
}

function isTimings(value: unknown): value is Record<string, number> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((entry) => typeof entry === 'number')
  );
}
