import { allowAdvice, type DueDelivery, formRefusal, signWebhook, type WebhookRules } from '@vortex/registry';
import { request } from 'undici';
import { BlockedAddress, type GuardedDispatchers } from './public-agent.ts';
import { readRetryAfter } from './retry-delay.ts';

/**
 * - `delivered`: the receiver said 2xx.
 * - `gone`: it said 410, that it wants no more. - `blocked`: its address may not be sent to.
 * - `failed`: anything else; redirects too, for where they lead was not agreed on.
 */
export type Sent =
  | { kind: 'delivered'; statusCode: number }
  | { kind: 'gone'; statusCode: number; error: string }
  | { kind: 'blocked'; error: string }
  | { kind: 'failed'; statusCode: number | null; error: string; retryAfterMs: number | null };

/** What is read of an answer: enough to keep the connection of an ordinary receiver, too little to be flooded by another. */
const answerBytes = 4096;

/** One attempt. Throws only when `stop` fires: then nobody knows whether it arrived. */
export async function sendDelivery(
  delivery: DueDelivery & { secret: string },
  deps: {
    rules: WebhookRules;
    dispatchers: GuardedDispatchers;
    timeoutMs: number;
    stop: AbortSignal;
    now: () => number;
  },
): Promise<Sent> {
  const { rules, dispatchers, timeoutMs, stop, now } = deps;
  // Again although the gateway has asked: the setting may have changed since, and digits are not looked up.
  const refusal = formRefusal(delivery.url, rules);
  if (refusal !== null) return { kind: 'blocked', error: `blocked: ${refusal}. ${allowAdvice}` };
  const timeout = AbortSignal.timeout(timeoutMs);
  const timestamp = Math.floor(now() / 1000);
  try {
    const { statusCode, headers, body } = await request(delivery.url, {
      method: 'POST',
      dispatcher: dispatchers.for(new URL(delivery.url).protocol),
      signal: AbortSignal.any([timeout, stop]),
      headers: {
        'content-type': 'application/json',
        'user-agent': 'Vortex-Webhooks/1.0',
        'webhook-id': delivery.eventId,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signWebhook(delivery.secret, {
          id: delivery.eventId,
          timestamp,
          body: delivery.body,
        }),
      },
      body: delivery.body,
    });
    // The status has said it; a rest that is long or slow changes nothing any more, and ends with the timeout.
    body.dump({ limit: answerBytes }).catch(() => undefined);
    if (statusCode >= 200 && statusCode < 300) return { kind: 'delivered', statusCode };
    if (statusCode === 410) {
      return { kind: 'gone', statusCode, error: 'the receiver answered 410: it wants no more' };
    }
    const retryAfter = headers['retry-after'];
    return {
      kind: 'failed',
      statusCode,
      error:
        statusCode >= 300 && statusCode < 400
          ? `the receiver answered ${statusCode}: redirects are not followed`
          : `the receiver answered ${statusCode}`,
      retryAfterMs: readRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, now()),
    };
  } catch (error) {
    if (stop.aborted) throw error;
    if (error instanceof BlockedAddress) return { kind: 'blocked', error: error.message };
    const text = timeout.aborted ? `no answer within ${timeoutMs} ms` : describe(error);
    return { kind: 'failed', statusCode: null, error: text, retryAfterMs: null };
  }
}

/** Some errors of sockets have a code and no message; several addresses tried make one error of many. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const { message, code } = first as Error & { code?: string };
  return (message || code || error.name).slice(0, 500);
}
