import { z } from 'zod';
import { cacheOutcomes } from '../sample-schema.ts';
import { emptyReply, type Reply } from './target.ts';

/**
 * What a load test reads of an answer. Everything is optional: a target that gives no more than `{"answer"}` can be measured
 * too, and with `--cache omit`, which says that it is none of ours, one that gives another object altogether; what is there
 * is checked.
 */
const answerShape = z.object({
  id: z.string().optional(),
  answered: z.boolean().optional(),
  answer: z.string().optional(),
  degraded: z.array(z.string()).optional(),
  citations: z.array(z.object({ marker: z.number(), chunk_id: z.string() })).optional(),
  sources: z.array(z.object({ chunk_id: z.string(), document_id: z.string() })).optional(),
  worker: z.string().nullish(),
  cache: z.enum(cacheOutcomes).optional(),
  attempt: z.int().min(1).optional(),
  timings_ms: z.record(z.string(), z.number()).optional(),
});

const problemShape = z.object({
  code: z.string().optional(),
  title: z.string().optional(),
  status: z.int().optional(),
});

const acceptedShape = z.object({ job_id: z.string() });
const hitsShape = z.object({ hits: z.array(z.object({ text: z.string() })) });

/** Of an accepted document; null: it did not say. */
export function readJobId(body: unknown): string | null {
  return acceptedShape.safeParse(body).data?.job_id ?? null;
}

/** Whether the first hit of a search has it. */
export function showsText(body: unknown, text: string): boolean {
  return hitsShape.safeParse(body).data?.hits[0]?.text.includes(text) ?? false;
}

/** A 200 is no success yet: an answer that is empty, cut or cites what is not there is a failure of its own class. */
export function readAnswer(
  body: unknown,
  status: number,
  { expected, isAnyObject = false }: { expected?: string | undefined; isAnyObject?: boolean } = {},
): Reply {
  const parsed = answerShape.safeParse(body);
  if (!parsed.success) return { ...emptyReply, status, outcome: 'degraded', degraded: ['malformed_answer'] };
  const said = parsed.data;
  const lacks = [...(said.degraded ?? [])];
  if (said.answer !== undefined && said.answer.trim() === '') lacks.push('empty_answer');
  if (!isAnyObject && said.answer === undefined && said.answered === undefined) lacks.push('no_answer');
  const sources = said.sources ?? [];
  const known = new Set(sources.map(({ chunk_id }) => chunk_id));
  if (said.citations?.some(({ chunk_id }) => !known.has(chunk_id))) lacks.push('citation_leads_nowhere');
  if (expected !== undefined && !sources.some(({ document_id }) => document_id === expected)) {
    lacks.push('expected_document_missing');
  }
  return {
    ...emptyReply,
    status,
    outcome: lacks.length > 0 ? 'degraded' : 'ok',
    degraded: lacks,
    answered: said.answered ?? null,
    cache: said.cache ?? null,
    replica: said.worker ?? null,
    attempt: said.attempt ?? null,
    timings_ms: said.timings_ms ?? null,
    id: said.id ?? null,
  };
}

/** An answer that is no 2xx. */
export function readProblem(body: unknown, status: number): Reply {
  if (status >= 400) return problemReply(saidBy(body), status);
  const why = status >= 300 ? '; redirects are not followed' : '';
  return { ...emptyReply, status, outcome: 'unexpected_status', error: `HTTP ${status}${why}` };
}

/** The `error` event of a stream, whose own status was 200 long before. */
export function readStreamProblem(body: unknown): Reply {
  const said = saidBy(body);
  return problemReply(said, said.status ?? 500);
}

function saidBy(body: unknown): z.infer<typeof problemShape> {
  const problem = problemShape.safeParse(body);
  return problem.success ? problem.data : {};
}

function problemReply({ code, title }: z.infer<typeof problemShape>, status: number): Reply {
  const isShed = status === 429 || status === 503;
  const outcome = isShed ? 'shed' : status >= 400 && status < 500 ? 'client_error' : 'server_error';
  return { ...emptyReply, status, outcome, error: code ?? title ?? `HTTP ${status}` };
}
