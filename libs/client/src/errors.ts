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

  constructor(document: Problem) {
    const fields = (document.errors ?? []).map(({ pointer, message }) => `${pointer || 'body'} ${message}`);
    super([document.detail || document.title, ...fields].join('; '));
    this.name = 'ApiProblem';
    this.status = document.status;
    this.code = document.code;
    this.retryable = document.retryable;
    this.retryAfterMs = document.retry_after_ms ?? null;
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
export function problemFrom(status: number, body: string): ApiProblem {
  let content: unknown = null;
  try {
    content = JSON.parse(body);
  } catch {
    // Not JSON: told below.
  }
  const parsed = problem.safeParse(content);
  if (parsed.success) return new ApiProblem(parsed.data);
  return new ApiProblem({
    type: 'about:blank',
    title: `HTTP ${status}`,
    status,
    detail: `the answer was HTTP ${status} and no problem document: ${body.slice(0, 200)}`,
    code: 'unexpected_answer',
    retryable: status >= 500,
  });
}

function causeOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
  if (inner instanceof Error) return 'code' in inner ? String(inner.code) : inner.message;
  return String(inner);
}
