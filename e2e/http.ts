import { createParser, type EventSourceMessage } from 'eventsource-parser';

export interface JsonReply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: end-to-end tests look at the wire as a client without our types does
  body: any;
}

export async function postJson(url: string, body: unknown, init: RequestInit = {}): Promise<JsonReply> {
  const reply = await fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
  });
  return readReply(reply);
}

export async function getJson(url: string): Promise<JsonReply> {
  return readReply(await fetch(url));
}

async function readReply(reply: Response): Promise<JsonReply> {
  const text = await reply.text();
  const isJson = reply.headers.get('content-type')?.includes('json') ?? false;
  return { status: reply.status, headers: reply.headers, body: isJson ? JSON.parse(text) : text };
}

export interface TimedEvent extends EventSourceMessage {
  atMs: number;
}

/** Reads a stream of server-sent events to its end, or until `stopWhen` says so (then the client leaves). */
export async function streamEvents(
  url: string,
  body: unknown,
  stopWhen: (event: TimedEvent) => boolean = () => false,
): Promise<TimedEvent[]> {
  const leave = new AbortController();
  const reply = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: leave.signal,
  });
  const events: TimedEvent[] = [];
  if (reply.body === null) return events;
  let stopped = false;
  const parser = createParser({
    onEvent: (event) => {
      const timed = { ...event, atMs: performance.now() };
      events.push(timed);
      if (stopWhen(timed)) stopped = true;
    },
  });
  const decoder = new TextDecoder();
  const reader = reply.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return events;
    parser.feed(decoder.decode(value, { stream: true }));
    if (!stopped) continue;
    leave.abort();
    return events;
  }
}

/** Asks until the answer is truthy. @throws after `limitMs`, with the last answer. */
export async function eventually<T>(
  ask: () => Promise<T>,
  limitMs: number,
  what: string,
): Promise<NonNullable<T>> {
  const giveUpAt = performance.now() + limitMs;
  let last: unknown;
  while (performance.now() < giveUpAt) {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not happen within ${limitMs} ms; last: ${String(last)}`);
}
