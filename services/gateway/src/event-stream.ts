import { baseHeaders, type Exchange } from './exchange.ts';

const heartbeatMs = 10_000;
const encoder = new TextEncoder();

/**
 * Sends one event; ignored once the stream has ended. `event` may be left out (OpenAI's streams have none). `id`
 * stands for the event's number where the client may come back with it.
 */
export type SendEvent = (data: string, event?: string, id?: string) => void;

/**
 * A server-sent event stream that runs `tell` and ends with it. Comments every 10 s keep proxies from
 * closing a silent stream, and let us notice a client that has left without a word. `tell` must not reject:
 * what goes wrong after the headers is an event, not a status.
 */
export function eventStream(
  exchange: Exchange,
  tell: (send: SendEvent) => Promise<void>,
  options: { numbered: boolean; headers?: Record<string, string> },
): Response {
  let number = 0;
  let open = true;
  let heartbeat: NodeJS.Timeout | undefined;
  const end = (status: number) => {
    if (!open) return;
    open = false;
    clearInterval(heartbeat);
    exchange.onEnd(status);
  };

  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send: SendEvent = (data, event, given) => {
        if (!open) return;
        number += 1;
        const id = options.numbered ? `id: ${given ?? number}\n` : '';
        const name = event === undefined ? '' : `event: ${event}\n`;
        const bytes = encoder.encode(`${id}${name}data: ${data}\n\n`);
        exchange.answerBytes += bytes.byteLength;
        controller.enqueue(bytes);
      };
      heartbeat = setInterval(() => controller.enqueue(encoder.encode(': still here\n\n')), heartbeatMs);
      tell(send).finally(() => {
        if (open) controller.close();
        end(200);
      });
    },
    cancel() {
      end(499);
      exchange.abandon();
    },
  });

  exchange.endsLater = true;
  return new Response(body, {
    headers: {
      ...baseHeaders(exchange),
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      // Nginx gathers answers into blocks unless told not to.
      'X-Accel-Buffering': 'no',
      ...options.headers,
    },
  });
}
