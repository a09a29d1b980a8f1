import type { PlannedRequest } from '../plan/deal-requests.ts';
import type { Sample } from '../sample-schema.ts';

/** What came back, in the words of a sample. */
export type Reply = Pick<
  Sample,
  | 'outcome'
  | 'status'
  | 'error'
  | 'answered'
  | 'degraded'
  | 'cache'
  | 'replica'
  | 'attempt'
  | 'timings_ms'
  | 'id'
  | 'first_token_ms'
  | 'gaps_ms'
> & {
  /** An accepted document: milliseconds until a search found it, null when none did. */
  freshness?: Promise<number | null>;
};

/** Where requests go. Tests have their own, on a clock of their own. */
export interface Target {
  /** Never rejects: what goes wrong is a reply. Null: `signal` was aborted before there was one. */
  send(request: PlannedRequest, signal: AbortSignal): Promise<Reply | null>;
}

export const emptyReply: Reply = {
  outcome: 'ok',
  status: null,
  error: null,
  answered: null,
  degraded: [],
  cache: null,
  replica: null,
  attempt: null,
  timings_ms: null,
  id: null,
  first_token_ms: null,
  gaps_ms: null,
};
