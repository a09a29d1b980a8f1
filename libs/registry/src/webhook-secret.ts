import { createHmac, randomBytes } from 'node:crypto';

/**
 * Standard Webhooks 1.0 (https://github.com/standard-webhooks/standard-webhooks): `v1,` and the base64 of
 * HMAC-SHA256 over `id.timestamp.body`, keyed with the bytes behind `whsec_`. The timestamp is in Unix seconds.
 */
export function signWebhook(
  secret: string,
  message: { id: string; timestamp: number; body: string },
): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = `${message.id}.${message.timestamp}.${message.body}`;
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
}

export function newWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/**
 * The secret of a `webhook_url`, which has no row of its own: made of the installation's key, so that the gateway
 * that tells it and the deliverer that signs with it need to share nothing else. The same address of a tenant
 * always has the same one.
 */
export function derivedWebhookSecret(signingKey: string, tenant: string, url: string): string {
  const key = Buffer.from(signingKey, 'hex');
  return `whsec_${createHmac('sha256', key).update(`${tenant}\n${url}`).digest('base64')}`;
}
