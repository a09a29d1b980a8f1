import { maxAnswerTokens, type QueryResponse } from '@vortex/contracts';
import { answerQuestion } from '../answer-question.ts';
import { type GivenAnswer, type Question, queryAnswer, serverTiming } from '../ask.ts';
import {
  annotationsOf,
  chatCompletion,
  chatCompletionOf,
  createPrefixKeeper,
  finishReasonOf,
  type RagDetails,
  usageOf,
} from '../chat-completion.ts';
import { type ChatRequest, chatRequest, collectionOfModel, questionOf } from '../chat-messages.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { eventStream } from '../event-stream.ts';
import { type Exchange, jsonAnswer } from '../exchange.ts';
import { limitQuestion } from '../limits/limit-requests.ts';
import { readJson } from '../middleware/json-body.ts';
import { problemFor } from '../middleware/problem-answer.ts';
import { openAiError } from '../openai-error.ts';
import { jsonBody } from '../openapi-schemas.ts';
import { gatewayProblem, internalProblem, problemOf } from '../problem.ts';
import { answeredOutcome, metered } from '../query-meter.ts';
import { type RunningAnswer, startAnswer } from '../running-answer.ts';

/** `POST /v1/chat/completions`: a question in OpenAI's words; the official client works unchanged. */
export function chatCompletionsEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'post',
    path: '/v1/chat/completions',
    access: 'query',
    asks: true,
    tag: 'openai',
    summary: 'Ask a collection through OpenAI’s chat API',
    description:
      'The last user message is the question. Citations are in `message.annotations` and, whole, in `x_rag`. With ' +
      '`stream: true` the answer is OpenAI’s event stream, ended by `[DONE]`.',
    request: jsonBody(chatRequest, {
      model: 'rag',
      messages: [{ role: 'user', content: 'Which Redis list does the retriever read from?' }],
    }),
    responses: {
      200: {
        description: 'The answer.',
        content: {
          'application/json': { schema: chatCompletion },
          'text/event-stream': { schema: { type: 'string' } },
        },
      },
    },
    problems: [400, 404, 409, 413, 415, 502, 503, 504],
    async handle(context, exchange) {
      const request = await readJson(context, chatRequest, parts.settings.max_body_bytes);
      const maxTokens = request.max_completion_tokens ?? request.max_tokens;
      const question: Question = {
        query: questionOf(request.messages),
        collection: collectionOfModel(request.model),
        cache: request.cache,
        max_tokens: maxTokens == null ? undefined : Math.min(maxTokens, maxAnswerTokens),
      };
      await limitQuestion(parts, exchange, question);
      exchange.lap('receive');
      if (request.stream === true) return streamCompletion(parts, exchange, request, question);
      return completeAtOnce(parts, exchange, request.model, question);
    },
  };
}

async function completeAtOnce(
  parts: GatewayParts,
  exchange: Exchange,
  model: string,
  question: Question,
): Promise<Response> {
  const { answer } = await metered(parts.meter, exchange, 'sync', async () => {
    const given = await answerQuestion(parts, exchange, question);
    const outcome = answeredOutcome(given.completion);
    return { outcome, cache: given.cache, answer: queryAnswer(parts, exchange, given) };
  });
  const completed = chatCompletionOf(model, exchange.receivedAt, answer, detailsOf(answer));
  return jsonAnswer(exchange, completed, 200, {
    'Server-Timing': serverTiming(answer.timings_ms),
    'X-Vortex-Cache': answer.cache ?? 'bypass',
  });
}

async function streamCompletion(
  parts: GatewayParts,
  exchange: Exchange,
  request: ChatRequest,
  question: Question,
): Promise<Response> {
  const running = await startAnswer(parts, exchange, question);
  const withUsage = request.stream_options?.include_usage === true;
  const head = {
    id: running.id,
    object: 'chat.completion.chunk' as const,
    created: Math.floor(exchange.receivedAt / 1000),
    model: request.model,
  };
  return eventStream(
    exchange,
    async (send) => {
      const chunk = (delta: object, finishReason: 'stop' | 'length' | null = null, more: object = {}) =>
        send(
          JSON.stringify({
            ...head,
            choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
            ...(withUsage && { usage: null }),
            ...more,
          }),
        );
      chunk({ role: 'assistant', content: '' });
      try {
        const { given, complete } = await tellText(running, (content) => chunk({ content }));
        if (!complete) throw textWasTakenBack();
        const answer = queryAnswer(parts, exchange, given);
        chunk({ annotations: annotationsOf(answer) }, null, { x_rag: detailsOf(answer) });
        chunk({}, finishReasonOf(answer));
        if (withUsage) send(JSON.stringify({ ...head, choices: [], usage: usageOf(answer) }));
        send('[DONE]');
      } catch (error) {
        const failure = problemOf(error) ?? internalProblem();
        send(JSON.stringify(openAiError(problemFor(failure, exchange)).body));
      }
    },
    { numbered: false },
  );
}

async function tellText(
  running: RunningAnswer,
  onText: (text: string) => void,
): Promise<{ given: GivenAnswer; complete: boolean }> {
  const keeper = createPrefixKeeper();
  const given = await running.tell((event) => {
    if (event.event === 'restart') keeper.restart();
    if (event.event !== 'delta') return;
    const text = keeper.next(event.data.text);
    if (text !== '') onText(text);
  });
  return { given, complete: keeper.holds(given.completion.answer) };
}

function textWasTakenBack(): Error {
  return gatewayProblem('stream_restarted', {
    detail: 'The answer was begun anew by another worker and differs from what was sent. Ask again.',
  });
}

function detailsOf(answer: QueryResponse): RagDetails {
  const { id, request_id, collection, answered, refusal, citations, sources } = answer;
  const { worker, replica, model, degraded, timings_ms, cache } = answer;
  return {
    id,
    request_id,
    collection,
    answered,
    refusal,
    citations,
    sources,
    worker,
    replica,
    model,
    degraded,
    timings_ms,
    cache,
  };
}
