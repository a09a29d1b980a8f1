import type { Refusal } from '@vortex/queue';
import { gatewayProblem, type HttpProblem } from '../problem.ts';

/** A limit of the caller's own (429); what all share is 503, and the door's to say. */
export function limitProblem(refusedBy: Refusal, waitMs: number): HttpProblem {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  // Exact: it is the time from which this key's next request passes, and no one else's.
  const when = { retryAfterMs: Math.max(1, waitMs), headers: { 'Retry-After': String(seconds) } };
  if (refusedBy === 'requests') {
    return gatewayProblem('rate_limited', {
      detail: `This key has made its requests for now; the next one may come in ${seconds} s.`,
      ...when,
    });
  }
  if (refusedBy === 'concurrent') {
    return gatewayProblem('too_many_concurrent', {
      detail: 'As many queries of this key are under way as it may have. Wait for one of them.',
      ...when,
    });
  }
  if (refusedBy === 'reserved') {
    return gatewayProblem('too_many_concurrent', {
      detail:
        'What this key has left of its tokens is put by for its questions under way. Wait for one of them.',
      ...when,
    });
  }
  const span = refusedBy === 'day_tokens' ? 'day' : 'minute';
  return gatewayProblem('quota_exceeded', {
    detail: `This key has spent its tokens of this ${span}; the next one begins in ${seconds} s.`,
    ...when,
  });
}
