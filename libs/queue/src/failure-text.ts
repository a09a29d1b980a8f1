import type { FailedCompletion, FailureCode, TimingsMs } from '@vortex/contracts';
import { failures } from '@vortex/contracts';

export interface Failure {
  id: string;
  code: FailureCode;
  message: string;
  stage: string | null;
  attempt: number;
  timingsMs: TimingsMs;
  retryable?: boolean;
}

/** The completion of a job that did not succeed, as JSON text. */
export function failureText(failure: Failure): string {
  const completion: FailedCompletion = {
    id: failure.id,
    v: 1,
    status: failure.code === 'cancelled' || failure.code === 'deadline_exceeded' ? failure.code : 'failed',
    attempt: failure.attempt,
    timings_ms: failure.timingsMs,
    error: {
      code: failure.code,
      message: failure.message,
      stage: failure.stage,
      retryable: failure.retryable ?? failures[failure.code].mayRetry,
    },
  };
  return JSON.stringify(completion);
}

/** The same end as fields of a tracked job's hash (JSON text for the scripts). */
export function failureFields(failure: Failure): string {
  const at = new Date().toISOString();
  return JSON.stringify({
    status: failure.code === 'cancelled' ? 'cancelled' : 'failed',
    message: failure.message,
    error: failure.message,
    error_code: failure.code,
    stage: null,
    eta_ms: null,
    updated_at: at,
    completed_at: at,
  });
}
