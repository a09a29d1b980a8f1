import type { JobAccepted, QueryRequest } from '@vortex/contracts';
import { answerQuestion } from '../answer-question.ts';
import { prepare, queryAnswer, serverTiming } from '../ask.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { eventStream } from '../event-stream.ts';
import { type Exchange, jsonAnswer } from '../exchange.ts';
import { leaveUnderWay, limitQuestion } from '../limits/limit-requests.ts';
import { readJson } from '../middleware/json-body.ts';
import { problemFor } from '../middleware/problem-answer.ts';
import { jsonBody, jsonContent, schemas } from '../openapi-schemas.ts';
import { gatewayProblem, internalProblem, problemOf } from '../problem.ts';
import { answeredOutcome, metered } from '../query-meter.ts';
import { startAnswer } from '../running-answer.ts';
import { assertWebhookAddress, watchQuestion } from '../webhook-address.ts';

/** `POST /query`: a question, answered in one of three ways: at once, as a stream, or later. */
export function queryEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'post',
    path: '/query',
    access: 'query',
    asks: true,
    tag: 'queries',
    summary: 'Ask a question and get an answer with citations',
    description:
      'With `stream: true` the answer is an event stream: `start{id,request_id}`, `sources{sources}`, `delta{text}`…, ' +
      '`citation{…}`…, then `done` with the same object as the JSON answer, or `error` with a problem. After `restart` ' +
      'the client forgets the deltas it has: the text begins anew. With `async: true` the answer is 202 and the job is ' +
      'asked for at `status_url`, or its end is sent to `webhook_url`. An identical question is answered from the cache ' +
      'as long as its collection has not changed (`cache` in the answer says so); `cache: bypass` asks for a new answer, ' +
      '`refresh` keeps it as well. Asynchronous questions are never answered from there.',
    request: jsonBody(schemas.queryRequest, { query: 'Which Redis list does the retriever read from?' }),
    responses: {
      200: {
        description: 'The answer; `answered: false` with a `refusal` when no document has anything on it.',
        content: {
          'application/json': { schema: schemas.queryResponse },
          'text/event-stream': { schema: { type: 'string' } },
        },
      },
      202: jsonContent(schemas.jobAccepted, 'Queued; ask at `status_url`.'),
    },
    problems: [400, 404, 409, 413, 415, 422, 502, 503, 504],
    async handle(context, exchange) {
      const request = await readJson(context, schemas.queryRequest, parts.settings.max_body_bytes);
      await limitQuestion(parts, exchange, request);
      exchange.lap('receive');
      if (request.stream === true && request.async === true) {
        throw gatewayProblem('validation', {
          detail: 'An answer can be streamed or fetched later, not both.',
          errors: [{ pointer: '/async', message: 'must not be true together with stream' }],
        });
      }
      if (request.webhook_url !== undefined) {
        if (request.async !== true) {
          throw gatewayProblem('validation', {
            detail: 'Only the end of an asynchronous question is sent to a webhook.',
            errors: [{ pointer: '/webhook_url', message: 'needs async: true' }],
          });
        }
        assertWebhookAddress(parts.webhookRules, request.webhook_url, '/webhook_url');
      }
      if (request.async === true) return queueForLater(parts, exchange, request);
      if (request.stream === true) return streamAnswer(parts, exchange, request);
      return answerAtOnce(parts, exchange, request);
    },
  };
}

async function answerAtOnce(
  parts: GatewayParts,
  exchange: Exchange,
  request: QueryRequest,
): Promise<Response> {
  const { response } = await metered(parts.meter, exchange, 'sync', async () => {
    const given = await answerQuestion(parts, exchange, request);
    const { cache } = given;
    const answer = queryAnswer(parts, exchange, given);
    const headers = { 'Server-Timing': serverTiming(answer.timings_ms), 'X-Vortex-Cache': cache };
    return {
      outcome: answeredOutcome(answer),
      cache,
      response: jsonAnswer(exchange, answer, 200, headers),
    };
  });
  return response;
}

async function queueForLater(
  parts: GatewayParts,
  exchange: Exchange,
  request: QueryRequest,
): Promise<Response> {
  const { id, watch } = await metered(parts.meter, exchange, 'async', async () => {
    parts.door.assertCapacity();
    const question = { ...request, stream: false, track: true };
    const { job } = await prepare(parts, exchange, question);
    const watched = await watchQuestion(parts, exchange.caller.tenant, job.id, request.webhook_url);
    try {
      await parts.submitter.enqueue(job);
    } catch (error) {
      await watched.undo();
      throw error;
    }
    leaveUnderWay(exchange);
    parts.notes.queued(exchange, question);
    return { outcome: 'ok' as const, id: job.id, watch: watched };
  });
  const statusUrl = `/api/jobs/${id}`;
  const accepted: JobAccepted = { job_id: id, status: 'queued', status_url: statusUrl };
  if (watch.secret !== undefined) accepted.webhook_secret = watch.secret;
  return jsonAnswer(exchange, accepted, 202, { Location: statusUrl });
}

async function streamAnswer(
  parts: GatewayParts,
  exchange: Exchange,
  request: QueryRequest,
): Promise<Response> {
  const running = await startAnswer(parts, exchange, request);
  return eventStream(
    exchange,
    async (send) => {
      send(JSON.stringify({ id: running.id, request_id: exchange.requestId }), 'start');
      try {
        const given = await running.tell(({ event, data }) => send(JSON.stringify(data), event));
        send(JSON.stringify(queryAnswer(parts, exchange, given)), 'done');
      } catch (error) {
        const failure = problemOf(error) ?? internalProblem();
        send(JSON.stringify(problemFor(failure, exchange)), 'error');
      }
    },
    { numbered: true },
  );
}
