import {
  type Answer,
  type AnswerFrameBody,
  type ExplainedGeneration,
  type GenerateInput,
  maxExplained,
  type Outcome,
  StageFailure,
  stages,
  VisibleStream,
} from '@vortex/contracts';
import { type Logger, type Metrics, type TraceSpan, traceIdOf } from '@vortex/observability';
import type { TokenCharges } from '@vortex/queue';
import type { ReplicaHealth } from '@vortex/runtime';
import { createAbsence } from './absent-server.ts';
import { CitationFilter } from './citations.ts';
import { DeltaBuffer } from './delta-buffer.ts';
import { type ModelClient, type ModelEnd, ModelFailure } from './model-client.ts';
import { createPace } from './pace.ts';
import { callWatched, isOfReplica } from './watched-call.ts';

/**
 * Generate: the augmented prompt comes in, the cited answer goes out. While it is made, a streamed query
 * gets `sources` before the first `delta`, and each `citation` after the text that holds its mark.
 *
 * When the pace this replica has been seen at will not bring the whole answer in time, it asks for as many
 * tokens as will come: half an answer that says so (`answer_cut_to_deadline`) serves more than none.
 *
 * A model server that is not there is waited for, when nobody else can be asked, as long as a restart takes
 * (absent-server.ts): no try is used up.
 *
 * It refuses for good what the model server refuses for good (unknown model, wrong key), and a run that
 * breaks after a reader has seen a part of it: a second answer must not follow half of a first. Any
 * other failure is thrown, so that the job is tried again, perhaps at another replica.
 */
export interface GenerateDeps {
  model: ModelClient;
  /** WORKER_NAME and the address of this replica, as the answer names them. */
  workerName: string;
  replicaUrl: string;
  /** Limit of an answer whose question brings none. */
  maxTokens: number;
  temperature: number;
  /** Names model and settings, for whoever keeps the answer. */
  fingerprint: string;
  metrics: Metrics;
  /** Told what an answer has cost a key that pays for its tokens. */
  charges?: Pick<TokenCharges, 'charge'>;
  /** What the pool knows of this replica; without it no call is late. */
  health?: ReplicaHealth;
}

/** What this stage uses of the runtime's context. */
export interface GenerateContext {
  job: { deadline_at: number; traceparent?: string | undefined };
  signal: AbortSignal;
  log: Pick<Logger, 'warn'>;
  now(): number;
  /** Of this run; null while nobody traces it. */
  span?: TraceSpan | null;
  emit(frame: AnswerFrameBody): void;
  timing(name: string, ms: number): void;
  explain(tell: () => object): void;
}

/** What is no word of the server (a deadline, a caller that left, silence) does not tell that it is there. */
const serverSpoke = new Set<ModelFailure['kind']>([
  'client_error',
  'rate_limited',
  'server_error',
  'malformed',
]);
/** Left of the deadline for the answer's way back. */
const deliveryMs = 200;
/** Of the time that is left: a pace varies, and an answer that is cut and late all the same serves nobody. */
const plannedShare = 0.85;
/** Fewer are no answer: what cannot bring even these is left to the deadline. */
const fewestTokens = 16;
const defaultRetryAfterMs = 1000;
const maxRetryAfterMs = 30_000;

export function createGenerateStage(deps: GenerateDeps) {
  const { model, metrics } = deps;
  const pace = createPace();
  const absence = createAbsence();

  return async function generate(
    input: GenerateInput,
    context: GenerateContext,
  ): Promise<Outcome<'generate'>> {
    const startedAt = context.now();
    const visible = new VisibleStream();
    const filter = new CitationFilter(input.sources);
    const deltas = new DeltaBuffer(context.emit);
    const citations: Answer['citations'] = [];
    let firstTokenMs: number | undefined;
    let pieces = 0;
    const timeoutMs = context.job.deadline_at - startedAt - deliveryMs;
    const wanted = input.max_tokens ?? deps.maxTokens;
    const fitting = Math.max(fewestTokens, pace.tokensWithin(plannedShare * timeoutMs) ?? wanted);
    const maxTokens = Math.min(wanted, fitting);

    if (input.stream) context.emit({ kind: 'sources', sources: input.sources });
    const take = (checked: ReturnType<CitationFilter['push']>): void => {
      citations.push(...checked.citations);
      if (input.stream) deltas.add(checked.text, checked.citations);
    };
    let end: ModelEnd;
    const call = beginCall(context.span ?? null, deps, maxTokens);
    try {
      const request = {
        ...(call !== null && { trace: call }),
        messages: input.messages,
        maxTokens,
        temperature: deps.temperature,
        signal: context.signal,
        timeoutMs,
      };
      const onText = (text: string): void => {
        pieces += 1;
        if (firstTokenMs === undefined) {
          firstTokenMs = context.now() - startedAt;
          context.timing('first_token', firstTokenMs);
        }
        take(filter.push(visible.push(withoutControls(text))));
      };
      end = await callWatched({
        model,
        health: deps.health,
        job: input,
        request,
        onText,
        isSeen: () => deltas.started,
      });
      take(filter.push(visible.end()));
      take(filter.end());
      if (filter.answer === '')
        throw new ModelFailure('malformed', 'the language model gave an empty answer');
      deltas.flush();
    } catch (error) {
      deltas.discard();
      call?.fail(error instanceof ModelFailure ? error.kind : 'internal');
      call?.end();
      if (!(error instanceof ModelFailure)) throw error;
      metrics.add('rag_llm_requests_total', { provider: model.provider, outcome: error.kind });
      const hasOthers = deps.health?.hasOthers() === true;
      if (serverSpoke.has(error.kind)) absence.over();
      const waitMs = error.kind === 'connect' ? absence.waitMs(context.now()) : null;
      // On the last try too: the others may be at the same server, and not have noticed yet.
      const mayWait = !deltas.started && (!hasOthers || input.attempt >= stages.generate.maxAttempts);
      if (waitMs !== null && mayWait) {
        context.log.warn({ kind: error.kind, cause: error.cause }, `${error.message} Waiting for it`);
        return { kind: 'later', afterMs: waitMs, reason: error.message };
      }
      return settleFailure(error, deltas.started, context, hasOthers);
    }
    absence.over();

    if (call !== null) endCall(call, end, firstTokenMs);
    const tokens = end.completionTokens ?? pieces;
    if (input.charge !== undefined)
      await deps.charges?.charge(input.charge, (end.promptTokens ?? 0) + tokens, input.reservation);
    measurePace(
      metrics,
      { firstTokenMs, totalMs: context.now() - startedAt, tokens },
      context.job.traceparent,
    );
    pace.note({ firstTokenMs: firstTokenMs ?? 0, totalMs: context.now() - startedAt, tokens });
    count(deps, end, citations.length, filter.invented);
    const degraded = [...input.degraded];
    if (filter.invented > 0) degraded.push('invented_citation_removed');
    if (end.finish === 'length') degraded.push('answer_truncated');
    if (end.finish === 'length' && maxTokens < wanted) degraded.push('answer_cut_to_deadline');
    context.explain(
      (): ExplainedGeneration => ({
        ...{
          worker: deps.workerName,
          replica: deps.replicaUrl,
          provider: model.provider,
          model: model.model,
        },
        tokens: { prompt: end.promptTokens, answer: { allowed: maxTokens, used: end.completionTokens } },
        finish: end.finish,
        citations: {
          kept: citations.slice(0, maxExplained.citations).map(({ marker, chunk_id, answer_span }) => ({
            ...{ marker, chunk_id, answer_span },
          })),
          removed: filter.removed,
          kept_count: citations.length,
          removed_count: filter.invented,
        },
        degraded,
      }),
    );
    return {
      kind: 'done',
      result: {
        answered: true,
        answer: filter.answer,
        refusal: null,
        citations,
        sources: input.sources,
        worker: deps.workerName,
        replica: deps.replicaUrl,
        model: model.model,
        collection: input.collection,
        degraded,
        usage: { prompt_tokens: end.promptTokens, completion_tokens: end.completionTokens },
        ...(input.made_from && { made_from: { ...input.made_from, generation: deps.fingerprint } }),
      },
    };
  };
}

/**
 * A model repeats what documents tell it, and what nobody sees is the way out for what was smuggled in; a control character
 * steers the terminal of whoever prints the answer. It is the citations' filter's text already, so that spans count what is sent.
 */
function withoutControls(text: string): string {
  return text.replace(/(?![\t\n])\p{Cc}/gu, '');
}

/** The call itself, in OpenTelemetry's words for generative systems; of the texts nothing. */
function beginCall(
  run: TraceSpan | null,
  { model, temperature }: GenerateDeps,
  maxTokens: number,
): TraceSpan | null {
  if (run === null) return null;
  return run.child(`chat ${model.model}`, {
    kind: 'client',
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': model.provider,
      'gen_ai.request.model': model.model,
      'gen_ai.request.max_tokens': maxTokens,
      'gen_ai.request.temperature': temperature,
      'gen_ai.request.stream': true,
    },
  });
}

function endCall(
  call: TraceSpan,
  { finish, promptTokens, completionTokens }: ModelEnd,
  firstTokenMs: number | undefined,
): void {
  call.set({
    'gen_ai.response.finish_reasons': [finish],
    'gen_ai.usage.input_tokens': promptTokens ?? undefined,
    'gen_ai.usage.output_tokens': completionTokens ?? undefined,
    'gen_ai.response.time_to_first_chunk': firstTokenMs === undefined ? undefined : firstTokenMs / 1000,
  });
  call.end();
}

/** @throws what the runtime shall retry, and the cancellation's own reason. */
function settleFailure(
  failure: ModelFailure,
  seen: boolean,
  context: GenerateContext,
  hasOthers: boolean,
): Outcome<'generate'> {
  const { kind, message, status } = failure;
  if (kind === 'aborted') throw context.signal.reason ?? failure;
  context.log.warn({ kind, status, cause: failure.cause, answer_begun: seen }, message);
  // The time limit was the job's own deadline. Asking for later than that ends the job as expired; a
  // rejection would make a dead letter of it, and nothing about the job is wrong.
  if (kind === 'timeout') return { kind: 'later', afterMs: Number.MAX_SAFE_INTEGER, reason: message };
  if (seen) {
    return { kind: 'reject', code: 'generator_failed', reason: `${message}, after the answer had begun` };
  }
  const mayHelp = failure.mayRetry || (hasOthers && isOfReplica(status));
  if (!mayHelp) return { kind: 'reject', code: 'generator_failed', reason: message };
  if (kind === 'rate_limited') {
    const afterMs = Math.min(failure.retryAfterMs ?? defaultRetryAfterMs, maxRetryAfterMs);
    return { kind: 'later', afterMs, reason: message };
  }
  throw new StageFailure('generator_failed', message, { cause: failure });
}

function measurePace(
  metrics: Metrics,
  call: { firstTokenMs: number | undefined; totalMs: number; tokens: number },
  traceparent: string | undefined,
): void {
  const { firstTokenMs, totalMs, tokens } = call;
  if (firstTokenMs === undefined) return;
  metrics.observe('rag_generation_first_token_seconds', {}, firstTokenMs / 1000, traceIdOf(traceparent));
  if (tokens < 2) return;
  const perTokenMs = (totalMs - firstTokenMs) / (tokens - 1);
  metrics.observe('rag_generation_time_per_output_token_seconds', {}, perTokenMs / 1000);
}

function count({ metrics, model }: GenerateDeps, end: ModelEnd, kept: number, invented: number): void {
  metrics.add('rag_llm_requests_total', { provider: model.provider, outcome: 'ok' });
  metrics.add('rag_generation_tokens_total', { direction: 'in' }, end.promptTokens ?? 0);
  metrics.add('rag_generation_tokens_total', { direction: 'out' }, end.completionTokens ?? 0);
  metrics.add('rag_answer_checks_total', { check: 'citation', result: 'kept' }, kept);
  metrics.add('rag_answer_checks_total', { check: 'citation', result: 'removed' }, invented);
  metrics.add('rag_answers_total', { grounding: kept > 0 ? 'cited' : 'uncited' });
}
