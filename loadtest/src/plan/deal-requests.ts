import { dealQuestions, type Question } from './questions.ts';
import { exponential, randomFor } from './random.ts';

/** One request before it is sent. */
export interface PlannedRequest {
  n: number;
  kind: 'query' | 'ingest';
  /** Index of the tenant; null: there is none. */
  tenant: number | null;
  question: Question;
  traceId: string;
  /** May the target record the trace? */
  isTraceSampled: boolean;
}

export interface DealOptions {
  seed: number;
  questions: readonly Question[];
  /** 0 to 1. */
  ingestShare: number;
  tenants: number;
  traceShare: number;
}

/** The n-th call gives the n-th request of the plan: the same for the same seed, whenever it is sent. */
export function dealRequests(options: DealOptions): () => PlannedRequest {
  const { seed, ingestShare, tenants, traceShare } = options;
  const nextQuestion = dealQuestions(options.questions, seed);
  const kinds = randomFor(seed, 'kinds');
  const traces = randomFor(seed, 'traces');
  // Ids must differ between runs although the plan does not.
  const run = Math.floor(Math.random() * 2 ** 48)
    .toString(16)
    .padStart(12, '0');
  let n = 0;
  return () => {
    const request: PlannedRequest = {
      n,
      kind: kinds() < ingestShare ? 'ingest' : 'query',
      tenant: tenants === 0 ? null : n % tenants,
      question: nextQuestion(),
      traceId: `${run}${'0'.repeat(8)}${(n + 1).toString(16).padStart(12, '0')}`,
      isTraceSampled: traces() < traceShare,
    };
    n += 1;
    return request;
  };
}

const words =
  'queue lease worker vector passage answer source index stage replica window budget ledger retry'.split(' ');

/** A short text of its own for each request, with one word that no other document has. */
export function documentText(seed: number, n: number, marker: string): string {
  const random = randomFor(seed, `document ${n}`);
  const count = 80 + Math.floor(exponential(random) * 60);
  const text = Array.from({ length: count }, () => words[Math.floor(random() * words.length)]).join(' ');
  return `Note ${marker}. ${text}.`;
}
