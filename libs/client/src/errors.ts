import { type Problem, problem } from '@vortex/contracts';

/** The gateway answered with a problem document (RFC 9457), or with something that is not one. */
export class ApiProblem extends Error {
  readonly status: number;
  /** Stable word to branch on, e.g. `collection_not_found`. */
  readonly code: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  readonly problem: Problem;

  /** `retryAfterMs`: the header's, for documents that do not say it themselves. */
  constructor(document: Problem, retryAfterMs: number | null = null) {
    const fields = (document.errors ?? []).map(({ pointer, message }) => `${pointer || 'body'} ${message}`);
    super([document.detail || document.title, ...fields].join('; '));
    this.name = 'ApiProblem';
    this.status = document.status;
    this.code = document.code;
    this.retryable = document.retryable;
    this.retryAfterMs = document.retry_after_ms ?? retryAfterMs;
    this.problem = document;
  }
}

/** Nothing answered at the address: connection refused, reset, no such host. */
export class GatewayUnreachable extends Error {
  readonly url: string;

  constructor(url: string, cause: unknown) {
    super(`nothing answers at ${url} (${causeOf(cause)})`, { cause });
    this.name = 'GatewayUnreachable';
    this.url = url;
  }
}

/** A proxy in between answers in its own words: those are kept as the detail. */
export function problemFrom(status: number, body: string, retryAfter: string | null = null): ApiProblem {
  const retryAfterMs = retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : null;
  let content: unknown = null;
  try {
    content = JSON.parse(body);
  } catch {
    // Not JSON: told below.
  }
  const parsed = problem.safeParse(content);
  if (parsed.success) return new ApiProblem(parsed.data, retryAfterMs);
  return new ApiProblem(
    {
      type: 'about:blank',
      title: `HTTP ${status}`,
      status,
      detail: `the answer was HTTP ${status} and no problem document: ${body.slice(0, 200)}`,
      code: 'unexpected_answer',
      retryable: status >= 500,
    },
    retryAfterMs,
  );
}

/** A gateway that is away, or says that it cannot now: worth asking again. */
export function isPassing(error: unknown): boolean {
  return error instanceof GatewayUnreachable || (error instanceof ApiProblem && error.status === 503);
}

function causeOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
  if (inner instanceof Error) return 'code' in inner ? String(inner.code) : inner.message;
  return String(inner);
}
