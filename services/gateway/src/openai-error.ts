import type { Problem } from '@vortex/contracts';

/**
 * A problem as OpenAI's clients expect errors: they read `error.message`, `error.code` and `error.param`
 * and choose the exception class by status. OpenAI answers a bad field with 400, so 422 becomes that.
 */
export function openAiError(problem: Problem): { status: number; body: OpenAiErrorBody } {
  const firstField = problem.errors?.[0];
  const detail = firstField === undefined ? problem.detail : `${firstField.pointer}: ${firstField.message}`;
  return {
    status: problem.status === 422 ? 400 : problem.status,
    body: {
      error: {
        message: detail,
        type: typeOf(problem),
        param: firstField === undefined ? null : firstField.pointer.slice(1).replaceAll('/', '.'),
        code: problem.code,
      },
    },
  };
}

/** As OpenAI names them: its clients wait after the one, and give up after the other. */
function typeOf({ status, code }: Problem): string {
  if (status === 429) return code === 'quota_exceeded' ? 'insufficient_quota' : 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

export interface OpenAiErrorBody {
  error: { message: string; type: string; param: string | null; code: string };
}
