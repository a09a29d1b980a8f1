import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '@vortex/routing';
import { Agent, request } from 'undici';

/** One client's story: it asks, and where it is turned away (503) it comes back when it is told to, twice. */
export interface ClientStory {
  /** Of the intended first sending, in milliseconds from the start. */
  arrivedMs: number;
  attempts: Attempt[];
}

export interface Attempt {
  sentMs: number;
  tookMs: number;
  /** 0: no answer at all. */
  status: number;
  code: string | null;
}

export interface OpenLoop {
  url: string;
  perSecond: number;
  seconds: number;
  deadlineMs: number;
  retries: number;
  seed: number;
}

/**
 * Sends at times that were fixed beforehand (Poisson arrivals), however slow the answers are: clients of an overloaded
 * service do not wait for each other. A loop that does would slow down with the service and call it well.
 */
export async function askInOpenLoop(options: OpenLoop): Promise<ClientStory[]> {
  const { url, perSecond, seconds, deadlineMs, retries } = options;
  const random = seededRandom(options.seed);
  const dispatcher = new Agent({ connections: 2048, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;

  async function attempt(number: number): Promise<Attempt & { retryAfterMs: number | null }> {
    const sentMs = elapsed();
    const query = `What is stage number ${number} for?`;
    const body = JSON.stringify({ query, deadline_ms: deadlineMs, cache: 'bypass' });
    try {
      const reply = await request(`${url}/query`, {
        method: 'POST',
        dispatcher,
        headers: { 'content-type': 'application/json' },
        body,
      });
      const said = (await reply.body.json()) as { code?: string; retry_after_ms?: number };
      const { statusCode: status } = reply;
      const tookMs = elapsed() - sentMs;
      return { sentMs, tookMs, status, code: said.code ?? null, retryAfterMs: said.retry_after_ms ?? null };
    } catch {
      return { sentMs, tookMs: elapsed() - sentMs, status: 0, code: null, retryAfterMs: null };
    }
  }

  async function client(story: ClientStory, number: number): Promise<void> {
    for (let tries = 0; tries <= retries; tries += 1) {
      const { retryAfterMs, ...made } = await attempt(number);
      story.attempts.push(made);
      if (made.status !== 503 && made.status !== 0) return;
      if (tries < retries) await delay(retryAfterMs ?? 1000);
    }
  }

  const stories: ClientStory[] = [];
  const clients: Promise<void>[] = [];
  let arrivesMs = 0;
  for (;;) {
    arrivesMs += (-Math.log(1 - random()) / perSecond) * 1000;
    if (arrivesMs >= seconds * 1000) break;
    const waitMs = arrivesMs - elapsed();
    if (waitMs > 0) await delay(waitMs);
    const story: ClientStory = { arrivedMs: arrivesMs, attempts: [] };
    stories.push(story);
    clients.push(client(story, stories.length));
  }
  await Promise.all(clients);
  await dispatcher.close();
  return stories;
}
