import { createHash } from 'node:crypto';
import type { IdempotencyKey } from '@vortex/registry';
import type { GatewayContext } from './exchange.ts';
import { gatewayProblem, type HttpProblem } from './problem.ts';

const keyForm = /^[\x21-\x7e]{8,255}$/;

/**
 * `Idempotency-Key`: the same request sent again under one key is answered as it was, so that a client may repeat
 * whatever it has no answer to. Null: none was sent.
 * @throws HttpProblem 422
 */
export function idempotencyKeyOf(context: GatewayContext): string | null {
  const key = context.req.header('idempotency-key');
  if (key === undefined) return null;
  if (keyForm.test(key)) return key;
  throw gatewayProblem('validation', {
    detail: 'Idempotency-Key must be 8 to 255 printable ASCII characters without spaces.',
  });
}

/** `request` is what makes two requests the same: the route, its fields (parsed) and the hashes of its files. */
export function idempotencyOf(key: string, request: readonly unknown[]): IdempotencyKey {
  return { key, requestHash: createHash('sha256').update(JSON.stringify(request)).digest('hex') };
}

export function idempotencyConflict(): HttpProblem {
  return gatewayProblem('idempotency_conflict', {
    detail:
      'This Idempotency-Key came with another request within the last day. Take a new key for a new request.',
  });
}
