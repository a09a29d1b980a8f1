import type { CompletionHeader, TimingsMs } from '@vortex/contracts';

/** The completion of a job that succeeded, JSON text; the id first, so that an inbox finds it unparsed. */
export function completedText(id: string, attempt: number, timingsMs: TimingsMs, result: object): string {
  const header: CompletionHeader & { status: 'completed' } = {
    id,
    v: 1,
    status: 'completed',
    attempt,
    timings_ms: timingsMs,
  };
  return JSON.stringify({ ...header, ...result });
}

/** The same end as fields of a tracked job's hash, JSON text. `result` is the completion itself. */
export function completedFields(completion: string): string {
  const at = new Date().toISOString();
  return JSON.stringify({
    status: 'completed',
    progress: '100',
    result: completion,
    // Of a try before this one, and of what it was doing.
    error: null,
    error_code: null,
    message: null,
    stage: null,
    eta_ms: null,
    updated_at: at,
    completed_at: at,
  });
}
