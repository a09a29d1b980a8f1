import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Behaviour, type LatencyLaw, paceOf } from './behaviour.ts';
import type { Clock } from './clock.ts';
import type { Completion } from './completion.ts';
import type { EndExchange } from './traffic.ts';

/** One API's way of putting a completion on the wire. */
export interface Wire {
  contentType: string;
  streamed: boolean;
  completion: Completion;
  /** The whole body of a reply that is not streamed. */
  whole(elapsedMs: number): string;
  /** The parts of a streamed body: before the first token, per token, after the last. */
  head(): string;
  piece(token: string): string;
  tail(elapsedMs: number): string;
  /** Status and body of a failure in this API's own shape. */
  failure(status: number, message: string): Response;
}

export interface ReplyContext {
  behaviour: Behaviour;
  law: LatencyLaw;
  clock: Clock;
  /** Aborted when the client leaves. */
  signal: AbortSignal;
  /** Closes the connection without ending the body; absent where there is no connection (tests). */
  cutConnection: (() => void) | undefined;
  end: EndExchange;
}

// Timers are not finer than this, so faster paces send several tokens a tick.
const minTickMs = 5;

/**
 * Answers as the listener's behaviour says. Without any wait the body is one string and one write: that
 * is the case the throughput benchmark runs, 0.16 ms of CPU for a request on a kept-alive connection.
 */
export async function reply(wire: Wire, context: ReplyContext): Promise<Response> {
  const { behaviour, law, clock, signal, end } = context;
  const pace = paceOf(behaviour, law);
  const startedAt = clock.now();
  const headers = { 'content-type': wire.contentType };
  try {
    switch (behaviour.mode) {
      case 'hang':
        await untilAborted(signal);
        break;
      case 'hang_after_headers':
        return new Response(paced(silence(signal), context), { headers });
      case 'error': {
        await waitFor(behaviour.latency_ms ?? 0, context);
        const status = behaviour.status ?? 500;
        end('answered');
        return wire.failure(status, `mock-llm was told to answer ${status}`);
      }
      case 'garbage':
        end('answered');
        return new Response('<html>{"message":{"content":"\u0000 not what you asked for', { headers });
      case 'truncate': {
        await waitFor(behaviour.latency_ms ?? 0, context);
        const body = wire.streamed ? allAtOnce(wire, 0) : wire.whole(0);
        const half = body.slice(0, Math.ceil(body.length / 2));
        return new Response(paced(cutOff(half, context), context), { headers });
      }
      default:
    }

    const tokenCount = wire.completion.tokens.length;
    if (wire.streamed && pace.perTokenMs > 0) {
      await waitFor(pace.firstTokenMs, context);
      return new Response(paced(tokenByToken(wire, pace.perTokenMs, startedAt, context), context), {
        headers,
      });
    }
    await waitFor(pace.firstTokenMs + (wire.streamed ? 0 : pace.perTokenMs * tokenCount), context);
    const elapsedMs = clock.now() - startedAt;
    const body = wire.streamed ? allAtOnce(wire, elapsedMs) : wire.whole(elapsedMs);
    end('answered');
    return new Response(body, { headers });
  } catch (error) {
    if (!signal.aborted) throw error;
    end('aborted');
    return new Response(null, { status: 499 });
  }
}

function allAtOnce(wire: Wire, elapsedMs: number): string {
  let body = wire.head();
  for (const token of wire.completion.tokens) body += wire.piece(token);
  return body + wire.tail(elapsedMs);
}

async function* tokenByToken(
  wire: Wire,
  perTokenMs: number,
  startedAt: number,
  { clock, signal }: ReplyContext,
): AsyncGenerator<string> {
  const { tokens } = wire.completion;
  const perTick = Math.max(1, Math.round(minTickMs / perTokenMs));
  const firstAt = clock.now();
  let pending = wire.head();
  for (const [index, token] of tokens.entries()) {
    pending += wire.piece(token);
    if (index % perTick !== 0 && index < tokens.length - 1) continue;
    // Against the schedule, not the last token: late timers must not add up.
    const dueInMs = firstAt + index * perTokenMs - clock.now();
    if (dueInMs > 0) await clock.wait(dueInMs, signal);
    yield pending;
    pending = '';
  }
  yield pending + wire.tail(clock.now() - startedAt);
}

// biome-ignore lint/correctness/useYield: a body that never comes is the point.
async function* silence(signal: AbortSignal): AsyncGenerator<string> {
  await untilAborted(signal);
}

async function* cutOff(half: string, { cutConnection, end, signal }: ReplyContext): AsyncGenerator<string> {
  yield half;
  // The half must have left the process, or the client would see a refused request instead of a cut one.
  await nextTurn();
  end('answered');
  if (cutConnection === undefined) throw new Error('mock-llm was told to truncate this answer');
  cutConnection();
  // A body that ended here would still get its end mark.
  await untilAborted(signal);
}

/** A response body from a generator; counts the exchange out when it ends either way. */
function paced(parts: AsyncGenerator<string>, { end, signal }: ReplyContext): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await parts.next();
        if (!done) return controller.enqueue(encoder.encode(value));
        end('answered');
        controller.close();
      } catch (error) {
        end(signal.aborted ? 'aborted' : 'answered');
        controller.error(error);
      }
    },
    cancel() {
      end('aborted');
      // Not awaited: a generator that waits for the signal ends only with it.
      parts.return(undefined).catch(() => {});
    },
  });
}

async function waitFor(ms: number, { clock, signal }: ReplyContext): Promise<void> {
  if (ms > 0) await clock.wait(ms, signal);
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
