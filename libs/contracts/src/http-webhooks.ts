import { z } from 'zod';
import { storedText } from './stored-text.ts';

/** Webhooks over HTTP: `/api/webhooks…`, and what is sent to them (Standard Webhooks 1.0). */

export const webhookEventType = z.enum([
  'document.ready',
  'document.failed',
  'document.deleted',
  'query.completed',
  'query.failed',
]);
export type WebhookEventType = z.infer<typeof webhookEventType>;

/** Form only; where it leads is checked when the request is made, by its resolved address. */
export const webhookUrl = z
  .string()
  .max(2000)
  // URL.parse drops or escapes these, so what is stored, shown and logged would be another address than what is called.
  .refine((text) => !/[\s\p{Cc}]/u.test(text) && text.isWellFormed(), {
    message: 'must have no white space and no control characters',
  })
  .refine(
    (text) => {
      const url = URL.parse(text);
      return (
        url !== null &&
        (url.protocol === 'https:' || url.protocol === 'http:') &&
        url.username === '' &&
        url.password === ''
      );
    },
    { message: 'must be an http or https address without user and password' },
  );

/** `whsec_` and the base64 of 24 to 64 random bytes. */
export const webhookSecret = z
  .string()
  .regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, 'must be whsec_ and the base64 of 24 to 64 bytes');

export const createWebhookRequest = z.strictObject({
  url: webhookUrl,
  /** All events when absent. */
  events: z.array(webhookEventType).min(1).max(10).optional(),
  /** Made when absent. */
  secret: webhookSecret.optional(),
  description: z.string().max(500).overwrite(storedText).optional(),
});
export type CreateWebhookRequest = z.infer<typeof createWebhookRequest>;

export const webhookResponse = z.object({
  id: z.string(),
  url: z.string(),
  events: z.array(webhookEventType),
  description: z.string().nullable(),
  /** Only in the answer to its creation. */
  secret: z.string().optional(),
  created_at: z.string(),
});
export type WebhookResponse = z.infer<typeof webhookResponse>;

export const webhookList = z.object({ webhooks: z.array(webhookResponse) });

/** `POST /api/webhooks/{id}/test`, and a replay: what is going to be sent. */
export const webhookQueued = z.object({ delivery_ids: z.array(z.string()) });
export type WebhookQueued = z.infer<typeof webhookQueued>;

const deliveryState = z.enum(['pending', 'delivered', 'failed']);

export const webhookDelivery = z.object({
  id: z.string(),
  webhook_id: z.string().nullable(),
  url: z.string(),
  event_id: z.string(),
  event_type: z.string(),
  state: deliveryState,
  attempts: z.int().min(0),
  /** Of the last attempt; null when nothing answered. */
  status_code: z.int().nullable(),
  error: z.string().nullable(),
  next_attempt_at: z.string().nullable(),
  created_at: z.string(),
  delivered_at: z.string().nullable(),
});
export type WebhookDelivery = z.infer<typeof webhookDelivery>;

export const webhookDeliveryPage = z.object({
  deliveries: z.array(webhookDelivery),
  next: z.string().nullable(),
});
export type WebhookDeliveryPage = z.infer<typeof webhookDeliveryPage>;
