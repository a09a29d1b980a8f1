import type { Answer, CacheMode } from '@vortex/contracts';
import { QueueUnavailable, type SubmitOptions } from '@vortex/queue';
import { assertMayRead } from './access/collection-access.ts';
import { awaitResult, type GivenAnswer, type JobTicket, prepare, type Question } from './ask.ts';
import type { GatewayParts } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import { ClientGone, problemOf } from './problem.ts';

/** What a question has become by the time its stream may begin: its answer, or the wait for it. */
export interface AnswerUnderWay {
  ticket: JobTicket;
  given: Promise<GivenAnswer>;
}

/**
 * From a question to its answer, by the shortest way there is:
 *
 *   cache: default ──► kept answer that still holds             hit: nothing is admitted
 *             ├──► identical question under way                  shared: waits for its answer
 *             └──► neither                                       miss or stale: the pipeline, others may join
 *   cache: refresh ──► the pipeline, its answer is kept          bypass
 *   cache: bypass ───► the pipeline                              bypass
 *
 * Identical is what has the same key, was asked of the same state of the collection (who asks after a change never waits
 * for an answer from before it) and allows the same time (who has long never gets an answer that was cut for who has not).
 */
export async function answerQuestion(
  parts: GatewayParts,
  exchange: Exchange,
  question: Question,
): Promise<GivenAnswer> {
  const { given } = await beginAnswer(parts, exchange, question, {});
  return given;
}

/** The same for a stream, which is told what is known before its answer. @throws what `prepare` throws; `given` rejects as `awaitResult` does. */
export async function beginAnswer(
  parts: GatewayParts,
  exchange: Exchange,
  question: Question,
  hear: Pick<SubmitOptions, 'onFrame' | 'onAdmitted'>,
): Promise<AnswerUnderWay> {
  const { answers, metrics, settings } = parts;
  const { caller } = exchange;
  // Before the cache is asked: an answer that is kept is no reason to give it to everybody.
  assertMayRead(caller, question.collection);
  const mode: CacheMode = question.cache ?? 'default';
  const slot = mode === 'bypass' ? null : await answers.slotFor(caller, question);
  if (mode !== 'default') metrics.add('rag_cache_lookups_total', { cache: 'answer', result: 'bypass' });
  const isAsked = mode === 'default' && slot !== null;
  const askedAt = performance.now();
  const { outcome, answer } = isAsked ? await answers.read(slot) : { outcome: 'bypass' as const };
  if (mode === 'default') exchange.lap('cache_lookup');
  if (answer !== undefined) {
    const id = parts.questionIds.make(caller.tenant);
    exchange.jobId = id;
    const timeoutMs = question.deadline_ms ?? settings.query_timeout_ms;
    const ticket = { id, timeoutMs };
    exchange.lap('admit');
    const completion = { id, v: 1, attempt: 1, status: 'completed', timings_ms: {}, ...answer } as const;
    return { ticket, given: Promise.resolve({ completion, question, cache: outcome }) };
  }
  // Once a stream has begun its status is out; what is known to fail must fail before that.
  if (question.stream === true && !parts.submitter.isReady())
    throw new QueueUnavailable('redis does not answer');
  const prepared = await prepare(parts, exchange, question);
  const { timeoutMs } = prepared;
  const { id } = prepared.job;
  const ticket = { id, timeoutMs };

  async function run(): Promise<GivenAnswer> {
    if (!isAsked) {
      const completion = await awaitResult<Answer>(parts, exchange, prepared, hear);
      if (slot !== null) answers.keep(slot, completion);
      return { completion, question, cache: outcome };
    }
    const listener = heardOnce(hear);
    for (let mayAskAnew = true; ; mayAskAnew = false) {
      const seat = parts.sharedJobs.board(`${slot.key} ${slot.collectionVersion} ${timeoutMs}`, askedAt);
      try {
        const shown = await awaitResult<Answer>(
          // Who rides along costs nothing, and is let in.
          { log: parts.log, notes: parts.notes, submitter: seat, ...(seat.isFirst && { door: parts.door }) },
          exchange,
          prepared,
          listener,
        );
        if (shown.id === id) {
          answers.keep(slot, shown);
          return { completion: shown, question, cache: outcome };
        }
        metrics.add('api_gateway_shared_queries_total', {});
        // Its times are those of another question's way; this one only waited.
        const completion = { ...shown, id, timings_ms: { shared: exchange.sinceLapMs() } };
        return { completion, question, cache: 'shared', sharedWith: shown.id };
      } catch (error) {
        // What failed was another question's job, with that one's deadline; this one has a try of its own.
        const isLate = exchange.elapsedMs() >= timeoutMs;
        if (seat.isFirst || !mayAskAnew || isLate || !mayGoOtherwise(error)) throw error;
        listener.silence();
      }
    }
  }
  return { ticket, given: run() };
}

function mayGoOtherwise(error: unknown): boolean {
  if (error instanceof ClientGone) return false;
  const status = problemOf(error)?.problem.status ?? 500;
  return status >= 500 || status === 499;
}

/** A second job's frames must not follow those of a first that failed; its completion tells all of it. */
function heardOnce(hear: Pick<SubmitOptions, 'onFrame' | 'onAdmitted'>) {
  let isSilent = false;
  let hasHeard = false;
  const { onFrame, onAdmitted } = hear;
  return {
    ...(onAdmitted && { onAdmitted }),
    ...(onFrame && {
      onFrame: ((frame) => {
        if (isSilent) return;
        hasHeard = true;
        onFrame(frame);
      }) satisfies SubmitOptions['onFrame'],
    }),
    silence() {
      isSilent = hasHeard;
    },
  };
}
