import { type AnswerEvent, createAnswerEvents } from './answer-events.ts';
import { beginAnswer } from './answer-question.ts';
import type { GivenAnswer, Question } from './ask.ts';
import type { GatewayParts } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import { ClientGone } from './problem.ts';
import { answeredOutcome, failedOutcome } from './query-meter.ts';

/**
 * A stream's status is decided when Redis has taken its job: a refusal (full, away, frozen) is then a proper
 * status, where later it could only be an `error` event behind a 200. So long the head then still waits for
 * a failure that comes at once.
 */
const firstNewsMs = 50;

/** An answer under way, of which the client shall hear while it is made. */
export interface RunningAnswer {
  id: string;
  /**
   * Tells every event, those missed before the call included, and resolves with the answer once all of it
   * was told. Rejects as `awaitResult` does. Counts the query, so it is to be called exactly once.
   */
  tell(onEvent: (event: AnswerEvent) => void): Promise<GivenAnswer>;
}

/** @throws what `prepare` and admission throw; the query is then already counted. */
export async function startAnswer(
  parts: GatewayParts,
  exchange: Exchange,
  question: Question,
): Promise<RunningAnswer> {
  const { meter, metrics } = parts;
  const events = createAnswerEvents();
  const missed: AnswerEvent[] = [];
  let deliver = (event: AnswerEvent): void => void missed.push(event);
  const firstFrame = Promise.withResolvers<void>();
  const admission = Promise.withResolvers<void>();
  let firstToken = false;

  const onFrame = (frame: unknown) => {
    for (const event of events.onFrame(frame)) {
      if (event.event === 'delta' && !firstToken) {
        firstToken = true;
        metrics.observe(
          'api_gateway_time_to_first_token_seconds',
          {},
          exchange.elapsedMs() / 1000,
          exchange.traceId,
        );
      }
      deliver(event);
    }
    firstFrame.resolve();
  };

  meter.begin();
  try {
    const { ticket, given } = await beginAnswer(
      parts,
      exchange,
      { ...question, stream: true },
      { onFrame, onAdmitted: admission.resolve },
    );
    await decided(given, firstFrame.promise, admission.promise);
    return {
      id: ticket.id,
      async tell(onEvent) {
        for (const event of missed) onEvent(event);
        deliver = onEvent;
        try {
          const answer = await given;
          for (const event of events.onAnswer(answer.completion)) onEvent(event);
          meter.end(exchange, 'stream', answeredOutcome(answer.completion), answer.cache);
          return answer;
        } catch (error) {
          const by = error instanceof ClientGone ? 'client' : 'server';
          metrics.add('api_gateway_stream_aborted_total', { by });
          meter.end(exchange, 'stream', failedOutcome(error));
          throw error;
        }
      },
    };
  } catch (error) {
    meter.end(exchange, 'stream', failedOutcome(error));
    throw error;
  }
}

/** Resolves at the first frame, the result, or a short while after admission; rejects when the job fails before. */
async function decided(
  result: Promise<unknown>,
  firstFrame: Promise<void>,
  admission: Promise<void>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const longEnough = admission.then(
    () =>
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, firstNewsMs);
      }),
  );
  try {
    await Promise.race([firstFrame, result, longEnough]);
  } finally {
    clearTimeout(timer);
    // From here on a failure is `tell`'s to report; until it is called nobody may think it unhandled.
    result.catch(() => {});
  }
}
