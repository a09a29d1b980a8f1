import type { ExplainStore } from '@vortex/cache';
import {
  type CacheOutcome,
  defaultCollection,
  type ExplainedRequest,
  type TimingsMs,
} from '@vortex/contracts';
import type { Question } from '../ask.ts';
import type { Exchange } from '../exchange.ts';
import { ClientGone, problemOf } from '../problem.ts';

/** The gateway's part of a query's story: what was asked, how it ended, and the durations that its client was told. */
export interface RequestNotes {
  answered(exchange: Exchange, question: Question, end: AnsweredEnd): void;
  failed(exchange: Exchange, question: Question, error: unknown): void;
  queued(exchange: Exchange, question: Question): void;
}

interface AnsweredEnd {
  id: string;
  timings_ms: TimingsMs;
  attempt: number;
  degraded: string[];
  answered?: boolean;
  worker?: string | null;
  replica?: string | null;
  cache?: CacheOutcome;
  sharedWith?: string | undefined;
}

const shownCharacters = 300;

export function createRequestNotes(deps: {
  explain: Pick<ExplainStore, 'note'>;
  settings: { query_timeout_ms: number };
  withQuestion: boolean;
}): RequestNotes {
  const { explain, settings, withQuestion } = deps;

  /** What of the exchange changes afterwards is read now; the rest when it is told. */
  function note(
    exchange: Exchange,
    question: Question,
    end: Pick<ExplainedRequest, 'status' | 'timings_ms'> & Partial<ExplainedRequest>,
  ): void {
    const { jobId: id } = exchange;
    if (id === undefined) return;
    explain.note({ id, tenant: exchange.caller.tenant }, 'gateway', (): ExplainedRequest => {
      const { query, collection = defaultCollection, deadline_ms } = question;
      return {
        request_id: exchange.requestId,
        trace_id: exchange.traceparent.split('-')[1] ?? '',
        mode: modeOf(question),
        collection,
        asked_at: new Date(exchange.receivedAt).toISOString(),
        question: withQuestion ? query.slice(0, shownCharacters) : null,
        deadline_ms: deadline_ms ?? settings.query_timeout_ms,
        ...{ error: null, answered: null, cache: null, shared_with: null, worker: null, replica: null },
        ...{ attempt: 1, degraded: [] },
        ...end,
      };
    });
  }

  return {
    answered(exchange, question, { sharedWith, id: _id, timings_ms, ...end }) {
      const { attempt, degraded, answered = null, worker = null, replica = null, cache = null } = end;
      note(exchange, question, {
        ...{ status: 'completed', timings_ms, attempt, degraded, answered, worker, replica, cache },
        shared_with: sharedWith ?? null,
      });
    },
    failed(exchange, question, error) {
      if (error instanceof ClientGone) {
        const gone = { code: 'client_gone', message: 'The client closed the connection.', stage: null };
        note(exchange, question, { status: 'cancelled', error: gone, timings_ms: { ...exchange.laps } });
        return;
      }
      const problem = problemOf(error)?.problem;
      const {
        code = 'internal',
        detail = '',
        stage = null,
        timings_ms = { ...exchange.laps },
      } = problem ?? {};
      const status = code === 'deadline_exceeded' || code === 'cancelled' ? code : 'failed';
      note(exchange, question, { status, error: { code, message: detail, stage }, timings_ms });
    },
    queued(exchange, question) {
      note(exchange, question, { status: 'queued', timings_ms: { ...exchange.laps } });
    },
  };
}

function modeOf({ track, stream, want }: Question): ExplainedRequest['mode'] {
  if (want === 'hits') return 'search';
  if (track === true) return 'async';
  return stream === true ? 'stream' : 'sync';
}
