import {
  type FailedCompletion,
  failures,
  type Problem,
  StageFailure,
  type TimingsMs,
} from '@vortex/contracts';
import { QueueFull, QueueUnavailable } from '@vortex/queue';
import { CollectionDeleting, isRegistryUnavailable, QuotaExceeded } from '@vortex/registry';

/**
 * Everything the gateway refuses or fails at, beside the failure codes of the pipeline (contracts/failure.ts).
 * A code is part of the API: clients branch on it, so one is never renamed or given another status.
 */
const gatewayProblems = {
  bad_request: { status: 400, title: 'The request could not be read', retryable: false },
  invalid_json: { status: 400, title: 'The body is not valid JSON', retryable: false },
  invalid_multipart: { status: 400, title: 'The body is not valid multipart/form-data', retryable: false },
  key_required: { status: 401, title: 'A key is needed', retryable: false },
  key_invalid: { status: 401, title: 'The key is not valid', retryable: false },
  scope_missing: { status: 403, title: 'The key may not be used for this', retryable: false },
  tenant_forbidden: { status: 403, title: 'Not for this tenant', retryable: false },
  collection_forbidden: { status: 403, title: 'The key is not for this collection', retryable: false },
  origin_refused: { status: 403, title: 'Pages of this origin may not do that', retryable: false },
  host_refused: { status: 421, title: 'This server does not go by that name', retryable: false },
  not_found: { status: 404, title: 'There is nothing here', retryable: false },
  model_not_found: { status: 404, title: 'There is no such model', retryable: false },
  method_not_allowed: { status: 405, title: 'This route does not take that method', retryable: false },
  request_timeout: { status: 408, title: 'The request did not arrive in time', retryable: true },
  collection_exists: { status: 409, title: 'There is a collection of that name', retryable: false },
  collection_deleting: {
    status: 409,
    title: 'The collection of that name is still being removed',
    retryable: true,
  },
  document_exists: { status: 409, title: 'There is a document of that name', retryable: false },
  idempotency_conflict: {
    status: 409,
    title: 'The idempotency key was used for another request',
    retryable: false,
  },
  dead_letter_gone: { status: 409, title: 'The dead letter is no longer there', retryable: false },
  dead_letter_not_redrivable: { status: 409, title: 'The job cannot be taken back', retryable: false },
  dead_letter_unreadable: {
    status: 422,
    title: 'The job of the dead letter cannot be read',
    retryable: false,
  },
  job_ended: { status: 409, title: 'The job has ended', retryable: false },
  job_not_retryable: { status: 409, title: 'The job cannot be run again', retryable: false },
  key_ended: { status: 409, title: 'The key has ended', retryable: false },
  body_too_large: { status: 413, title: 'The body is too large', retryable: false },
  file_too_large: { status: 413, title: 'The files are too large', retryable: false },
  uri_too_long: { status: 414, title: 'The address is too long', retryable: false },
  unsupported_media_type: {
    status: 415,
    title: 'The body is of another type than this route takes',
    retryable: false,
  },
  range_not_satisfiable: { status: 416, title: 'The content has no such range', retryable: false },
  validation: { status: 422, title: 'The request does not fit this route', retryable: false },
  rate_limited: { status: 429, title: 'The key has made its requests for now', retryable: true },
  quota_exceeded: { status: 429, title: 'The key has used up what it may', retryable: true },
  too_many_concurrent: { status: 429, title: 'The key has too many queries under way', retryable: true },
  headers_too_large: { status: 431, title: 'The request headers are too large', retryable: false },
  stream_restarted: { status: 502, title: 'The answer changed after a part of it was sent', retryable: true },
  completion_unreadable: { status: 502, title: 'The result of the job cannot be read', retryable: true },
  queue_unavailable: { status: 503, title: 'The queue is out of reach', retryable: true },
  explain_unavailable: { status: 503, title: 'The stories of queries are out of reach', retryable: true },
  registry_unavailable: { status: 503, title: 'The registry is out of reach', retryable: true },
  no_capacity: { status: 503, title: 'No generator replica is there', retryable: true },
  overloaded: { status: 503, title: 'The answer would come too late', retryable: true },
  queue_full: { status: 503, title: 'Too many jobs are waiting', retryable: true },
  storage_full: { status: 507, title: 'The disk is full', retryable: true },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>;

export type GatewayProblemCode = keyof typeof gatewayProblems;
export type ProblemField = { pointer: string; message: string };

interface ProblemDetails {
  detail: string;
  /** Where it is not what the code usually is. */
  retryable?: boolean;
  errors?: ProblemField[];
  retryAfterMs?: number;
  timingsMs?: TimingsMs;
  headers?: Record<string, string>;
}

/** Thrown anywhere below a route; the exchange answers it. `problem` has no `instance` and no `request_id` yet. */
export class HttpProblem extends Error {
  readonly problem: Problem;
  readonly headers: Record<string, string>;

  constructor(problem: Problem, headers: Record<string, string> = {}) {
    super(problem.detail);
    this.name = 'HttpProblem';
    this.problem = problem;
    this.headers = headers;
  }
}

/** The client closed the connection: nobody reads an answer, so none is made. */
export class ClientGone extends Error {
  constructor() {
    super('the client closed the connection');
    this.name = 'ClientGone';
  }
}

export function gatewayProblem(code: GatewayProblemCode, details: ProblemDetails): HttpProblem {
  const { status, title, retryable } = gatewayProblems[code];
  return new HttpProblem(
    {
      type: typeOf(code),
      title,
      status,
      detail: details.detail,
      code,
      retryable: details.retryable ?? retryable,
      ...(details.retryAfterMs !== undefined && { retry_after_ms: details.retryAfterMs }),
      ...(details.timingsMs !== undefined && { timings_ms: details.timingsMs }),
      ...(details.errors !== undefined && { errors: details.errors }),
    },
    details.headers,
  );
}

/** A pipeline failure as HTTP: the code decides the status, the completion brings text, stage and timings. */
export function failureProblem(error: FailedCompletion['error'], timingsMs?: TimingsMs): HttpProblem {
  const { status, title } = failures[error.code];
  return new HttpProblem({
    type: typeOf(error.code),
    title,
    status,
    detail: error.message,
    code: error.code,
    stage: error.stage,
    // The job must not be run again, its deadline being over; the client may well ask again.
    retryable: error.retryable || error.code === 'deadline_exceeded',
    ...(timingsMs !== undefined && { timings_ms: timingsMs }),
  });
}

export function deadlineProblem(detail: string, timingsMs: TimingsMs): HttpProblem {
  return failureProblem(
    { code: 'deadline_exceeded', message: detail, stage: null, retryable: true },
    timingsMs,
  );
}

/** Null: not expected by anyone; the caller logs it and answers `internal`, without its text. */
export function problemOf(error: unknown): HttpProblem | null {
  if (error instanceof HttpProblem) return error;
  if (error instanceof QueueFull) {
    return gatewayProblem('queue_full', {
      detail: 'The pipeline has as many jobs as it may hold. Try again after the time given.',
      ...retryAfter(error.retryAfterMs),
    });
  }
  if (error instanceof QueueUnavailable) {
    return gatewayProblem('queue_unavailable', {
      // Not "nothing was queued": a Redis that was only frozen may still find the command in its socket.
      detail: 'Redis is down, slow or full. Try again after the time given; sending the same again is safe.',
      ...retryAfter(2000),
    });
  }
  if (isRegistryUnavailable(error)) {
    return gatewayProblem('registry_unavailable', {
      detail: 'The registry is locked or out of reach. Try again after the time given.',
      ...retryAfter(2000),
    });
  }
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) {
    return gatewayProblem('storage_full', {
      detail: 'The data folder has no room for this. Nothing was kept.',
    });
  }
  if (error instanceof CollectionDeleting) {
    return gatewayProblem('collection_deleting', {
      detail: `The rows of the deleted collection ${error.collection} are still being removed. Try again after the time given.`,
      ...retryAfter(5000),
    });
  }
  if (error instanceof QuotaExceeded) {
    return gatewayProblem('quota_exceeded', {
      detail: `No more than ${error.allowed.toLocaleString('en')} ${error.what} may be stored with this key. Nothing was kept; delete some documents first.`,
      // No time helps, unlike with tokens.
      retryable: false,
    });
  }
  if (error instanceof StageFailure) {
    return failureProblem({
      code: error.code,
      message: error.message,
      stage: null,
      retryable: error.mayRetry,
    });
  }
  return null;
}

export function internalProblem(): HttpProblem {
  return failureProblem({
    code: 'internal',
    message: 'The gateway met an error it does not know. Its log has the cause under this request id.',
    stage: null,
    retryable: true,
  });
}

export function unknownRoute({ path }: { path: string }): HttpProblem {
  return gatewayProblem('not_found', {
    detail: `There is no route ${path.slice(0, 200)}. GET /docs shows all routes.`,
  });
}

/** Jittered by a fifth either way: clients told the same second come back in the same second. */
export function retryAfter(aroundMs: number): { retryAfterMs: number; headers: Record<string, string> } {
  const retryAfterMs = Math.round(aroundMs * (0.8 + 0.4 * Math.random()));
  return { retryAfterMs, headers: { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) } };
}

function typeOf(code: string): string {
  return `/problems/${code.replaceAll('_', '-')}`;
}
