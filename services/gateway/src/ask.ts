import {
  type Answer,
  batchLists,
  batchPart,
  type CacheMode,
  type CacheOutcome,
  type Completed,
  defaultCollection,
  type EncodeInput,
  failures,
  type MetadataFilter,
  maxDeadlineMs,
  type QueryResponse,
  type SearchMode,
  stages,
  sumOfTimings,
  type TimingsMs,
} from '@vortex/contracts';
import type { SubmitOptions, SubmittedJob, Submitter } from '@vortex/queue';
import type { Caller } from './access/caller.ts';
import { assertMayRead, collectionNotFound, readsByNameOnly } from './access/collection-access.ts';
import type { Visit } from './admission/door.ts';
import { cancelInBackground } from './cancel-in-background.ts';
import type { GatewayDependencies, GatewayParts } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import { assertWithinLimits } from './input-limits.ts';
import { jobHeaderOf } from './job-header.ts';
import { ClientGone, deadlineProblem, failureProblem, gatewayProblem, type HttpProblem } from './problem.ts';
import { type ResultKind, readCompletion } from './read-completion.ts';

/**
 * A question's way through the gateway, the same for JSON, streams, search and the OpenAI route:
 *
 *   checked ──► submitted ──► completed          answered
 *      │            ├──► failed                   problem by failure code
 *      │            ├──► deadline passed          job cancelled, 504 with the timings known
 *      │            ├──► client gone              job cancelled, nobody to answer
 *      │            └──► queue full, Redis away   nothing queued, 503
 *      └──► unknown collection                    nothing queued, 404
 */

/** After the deadline the worker that has the job reports it, with timings; so long is waited for that report. */
const deadlineGraceMs = 300;

export interface Question {
  query: string;
  collection?: string | undefined;
  top_k?: number | undefined;
  deadline_ms?: number | undefined;
  mode?: SearchMode | undefined;
  filter?: MetadataFilter | undefined;
  /** Hits only. */
  neighbours?: number | undefined;
  want?: 'answer' | 'hits';
  stream?: boolean | undefined;
  cache?: CacheMode | undefined;
  max_tokens?: number | undefined;
  /** Keep status and result for an hour, for a client that asks later. */
  track?: boolean;
}

/** What an answer tells of its question's way, whether a job was made for it or not. */
export interface JobTicket {
  id: string;
  timeoutMs: number;
  /** A language model will be asked, so the door has a say; absent: none is. */
  generates?: boolean;
}

export interface GivenAnswer {
  completion: Completed<Answer>;
  question: Question;
  cache: CacheOutcome;
  /** The id of the identical question whose answer it is. */
  sharedWith?: string;
}

export interface PreparedJob extends Omit<JobTicket, 'id'> {
  job: SubmittedJob;
  /** What it was made of: its end is written down with it. Absent where nobody will ask how it came about. */
  question?: Question;
}

/** @throws HttpProblem 422 for what is too large, 404 `collection_not_found`, before anything is queued. */
export async function prepare(
  deps: GatewayDependencies & Pick<GatewayParts, 'questionIds'>,
  exchange: Exchange,
  question: Question,
): Promise<PreparedJob> {
  assertWithinLimits(deps.settings, question);
  const { caller } = exchange;
  await assertCollection(deps, caller, question.collection);
  const id = deps.questionIds.make(caller.tenant);
  exchange.jobId = id;
  const timeoutMs = question.deadline_ms ?? deps.settings.query_timeout_ms;
  const deadlineAt = exchange.receivedAt + timeoutMs;
  const envelope: Partial<EncodeInput> = {
    ...jobHeaderOf(exchange, id, deadlineAt),
    query: question.query,
  };
  if (question.collection !== undefined) envelope.collection = question.collection;
  if (readsByNameOnly(caller)) envelope.by_name_only = true;
  if (question.top_k !== undefined) envelope.top_k = question.top_k;
  if (question.mode !== undefined) envelope.mode = question.mode;
  if (question.filter !== undefined) envelope.filter = question.filter;
  if (question.neighbours !== undefined) envelope.neighbours = question.neighbours;
  const { keyId, limits } = caller;
  const isCharged = (limits?.tokens_per_minute ?? limits?.tokens_per_day) !== undefined;
  if (isCharged && keyId !== null) envelope.charge = keyId;
  if (exchange.reservation !== undefined) envelope.reservation = exchange.reservation;
  if (question.want === 'hits') envelope.want = 'hits';
  if (question.stream === true) envelope.stream = true;
  if (question.cache !== undefined) envelope.cache = question.cache;
  if (question.max_tokens !== undefined) envelope.max_tokens = question.max_tokens;
  const job: SubmittedJob = {
    list: question.track === true ? batchLists.encode : stages.encode.list,
    lane: stages.encode.lane,
    id,
    deadlineAt,
    envelope,
    // Nobody waits for an asynchronous one: it takes what is left over, and stops before the chain is full.
    cap: question.track === true ? batchPart(deps.settings.max_live_queries) : deps.settings.max_live_queries,
  };
  if (question.track === true) envelope.class = 'batch';
  // A search ends at the retriever: it must not hold a generator's slot meanwhile.
  if (question.want !== 'hits' && question.track !== true)
    job.candidates = deps.replicas.candidates((Math.random() * 2 ** 32) >>> 0);
  if (question.track === true) {
    const { collection = defaultCollection } = question;
    job.track = {
      type: 'query',
      tenant: caller.tenant,
      collection,
      maxRetries: stages.encode.maxAttempts - 1,
    };
  }
  exchange.lap('admit');
  return { job, timeoutMs, generates: question.want !== 'hits', question };
}

/** @throws HttpProblem 404 `collection_not_found`, whether there is none or the caller may not see it. */
export async function assertCollection(
  deps: Pick<GatewayDependencies, 'registry'>,
  caller: Caller,
  name: string | undefined,
): Promise<void> {
  assertMayRead(caller, name);
  // Without a name `default` is meant, which is never unknown.
  if (name === undefined) return;
  if ((await deps.registry.resolveCollection(caller.tenant, name)) === null) throw collectionNotFound(name);
}

/**
 * Waits for the end of a prepared job.
 * @throws HttpProblem for every end but a result, and when the door refuses; ClientGone; QueueFull and QueueUnavailable.
 */
export async function awaitResult<Result extends object>(
  deps: Pick<GatewayDependencies, 'log'> &
    Partial<Pick<GatewayParts, 'door' | 'notes'>> & {
      submitter: Pick<Submitter, 'submit' | 'cancel'>;
    },
  exchange: Exchange,
  prepared: PreparedJob,
  kind: ResultKind,
  hear: Pick<SubmitOptions, 'onFrame' | 'onAdmitted'> = {},
): Promise<Completed<Result>> {
  const { job, timeoutMs } = prepared;
  const { submitter, log } = deps;
  const gone = exchange.clientGone;
  if (gone.aborted) throw new ClientGone();
  if (prepared.question !== undefined) exchange.queryId = job.id;
  const waiting = new AbortController();
  const { signal } = waiting;
  const entered = deps.door?.enter({
    remainingMs: timeoutMs - exchange.elapsedMs(),
    tenant: turnOf(exchange.caller),
    signal,
    generates: prepared.generates === true,
  });
  let visit: Visit | undefined;
  let isSubmitted = false;
  let answered: Completed<Result> | undefined;
  const giveUp = () => waiting.abort();
  const timer = setTimeout(giveUp, timeoutMs + deadlineGraceMs - exchange.elapsedMs());
  gone.addEventListener('abort', giveUp, { once: true });
  try {
    if (entered instanceof Promise) {
      visit = await entered;
      exchange.lap('turn');
    } else visit = entered;
    isSubmitted = true;
    const completion = await submitter.submit(job, { ...hear, signal });
    exchange.markAnswered();
    answered = resultOf<Result>(completion, kind, exchange);
    return answered;
  } catch (error) {
    const failure = signal.aborted ? gaveUp() : error;
    if (prepared.question !== undefined) deps.notes?.failed(exchange, prepared.question, failure);
    throw failure;
  } finally {
    visit?.leave({ timings: answered?.timings_ms });
    clearTimeout(timer);
    gone.removeEventListener('abort', giveUp);
  }

  function gaveUp(): Error {
    if (isSubmitted) void cancelInBackground(submitter, job, log);
    return gone.aborted ? new ClientGone() : timedOut(exchange, timeoutMs);
  }
}

/** Keys are what tells tenants apart; the machine itself waits for nobody. */
function turnOf({ keyId, tenant, isLocal }: Caller): string | undefined {
  return keyId === null || isLocal ? undefined : tenant;
}

function resultOf<Result extends object>(
  text: string,
  kind: ResultKind,
  exchange: Exchange,
): Completed<Result> {
  const completion = readCompletion<Result>(text, kind);
  if (completion?.status === 'completed') return completion;
  if (completion !== null) {
    // A worker of a newer version may know codes that this gateway does not.
    const code = Object.hasOwn(failures, completion.error.code) ? completion.error.code : 'internal';
    throw failureProblem({ ...completion.error, code }, timingsOf(completion.timings_ms, exchange));
  }
  throw gatewayProblem('completion_unreadable', {
    detail: 'What stands for the result in Redis is none that the pipeline writes. Ask again.',
    timingsMs: timingsOf({}, exchange),
  });
}

function timedOut(exchange: Exchange, timeoutMs: number): HttpProblem {
  return deadlineProblem(
    `No answer within ${timeoutMs} ms. The job was cancelled; deadline_ms can allow up to ${maxDeadlineMs.toLocaleString('en')}.`,
    timingsOf({}, exchange),
  );
}

/**
 * The pipeline's timings with the gateway's own around them (contracts, timings.ts): the exchange's laps, `reply` since the
 * completion came, `deliver` what is left of `total` when every other part is taken off.
 */
export function timingsOf(pipeline: TimingsMs, exchange: Exchange): TimingsMs {
  const total = exchange.elapsedMs();
  const timings: TimingsMs = {};
  for (const measured of [exchange.laps, pipeline])
    for (const [name, ms] of Object.entries(measured)) timings[name] = round(ms);
  const replyMs = exchange.sinceAnsweredMs(total);
  const known = sumOfTimings(exchange.laps) + sumOfTimings(pipeline) + (replyMs ?? 0);
  timings.deliver = round(Math.max(0, total - known));
  if (replyMs !== null) timings.reply = round(replyMs);
  timings.total = round(total);
  return timings;
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

export function serverTiming(timings: TimingsMs): string {
  return Object.entries(timings)
    .map(([name, ms]) => `${name};dur=${ms}`)
    .join(', ');
}

/** The answer as its client reads it; its part of the story is written down with the same durations. */
export function queryAnswer(
  { notes }: Pick<GatewayParts, 'notes'>,
  exchange: Exchange,
  { completion, cache, question, sharedWith }: GivenAnswer,
): QueryResponse {
  const { status: _status, v: _v, made_from: _madeFrom, ...answer } = completion;
  const timings = timingsOf(completion.timings_ms, exchange);
  exchange.toldTotalMs = timings.total;
  notes.answered(exchange, question, { ...answer, timings_ms: timings, cache, sharedWith });
  return { ...answer, cache, timings_ms: timings, request_id: exchange.requestId };
}
