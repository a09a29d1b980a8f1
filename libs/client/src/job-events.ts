import { setTimeout as delay } from 'node:timers/promises';
import { type JobEvent, jobEvent } from '@vortex/contracts';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { GatewayUnreachable, isPassing } from './errors.ts';
import type { CallOptions, Transport } from './transport.ts';

/** How long a gateway that is away is asked again, and how often. */
export const away = { limitMs: 15_000, firstMs: 100, longestMs: 1000 } as const;

/**
 * A job's events from its present state (or the event after `after`) to its `end`, each once and in order, whatever
 * the connection does: after a cut the gateway is asked for what came after the last event that was heard.
 * @throws ApiProblem for a job that is unknown; GatewayUnreachable when the gateway stays away for `away.limitMs`
 */
export async function* readJobEvents(
  transport: Transport,
  jobId: string,
  call: CallOptions & { after?: number } = {},
): AsyncGenerator<JobEvent> {
  const leave = new AbortController();
  const signal = call.signal ? AbortSignal.any([call.signal, leave.signal]) : leave.signal;
  let heard = call.after ?? null;
  let awaySince: number | null = null;
  let wait: number = away.firstMs;
  try {
    for (;;) {
      let cut: unknown = null;
      try {
        for await (const next of listen(transport, jobId, heard, signal)) {
          if (next === 'over') return;
          // Only an event is a sign of life: a server that accepts and hangs up at once is away as well.
          awaySince = null;
          wait = away.firstMs;
          // Numbers are compared for equality alone: those of a job that Redis alone knows yet are times, and
          // go down once the registry counts it.
          if (next.event.sequence === heard) continue;
          heard = next.event.sequence;
          yield next.event;
          if (next.ended) return;
        }
      } catch (error) {
        if (signal.aborted || !isPassing(error)) throw error;
        cut = error;
      }
      awaySince ??= performance.now();
      if (performance.now() - awaySince > away.limitMs) {
        throw cut ?? new GatewayUnreachable(transport.url, new Error('the stream of events ends at once'));
      }
      await delay(wait, undefined, { signal });
      wait = Math.min(away.longestMs, wait * 2);
    }
  } finally {
    leave.abort();
  }
}

/** One connection's events; `over`: the job has ended, and that was told already. */
async function* listen(
  transport: Transport,
  jobId: string,
  after: number | null,
  signal: AbortSignal,
): AsyncGenerator<{ event: JobEvent; ended: boolean } | 'over'> {
  const response = await transport.send(`/api/jobs/${encodeURIComponent(jobId)}/events`, {
    signal,
    events: true,
    headers: { accept: 'text/event-stream', ...(after !== null && { 'last-event-id': String(after) }) },
  });
  if (response.status === 204) yield 'over';
  if (response.body === null) return;
  const decoder = new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>;
  const messages = (response.body as ReadableStream<Uint8Array>)
    .pipeThrough(decoder)
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  try {
    for (;;) {
      const next = await messages.read().catch((error: unknown) => {
        if (signal.aborted) throw error;
        throw new GatewayUnreachable(transport.url, error);
      });
      if (next.done) return;
      const { event: name, data } = next.value;
      // Events of a later gateway that this client does not know are passed over.
      if (name !== 'progress' && name !== 'end') continue;
      yield { event: jobEvent.parse(JSON.parse(data)), ended: name === 'end' };
    }
  } finally {
    // A connection that is left in the middle is closed; its own complaint about that is no news.
    await messages.cancel().catch(() => {});
  }
}
