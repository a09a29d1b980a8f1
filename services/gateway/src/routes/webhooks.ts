import { z } from '@hono/zod-openapi';
import {
  type WebhookDelivery,
  type WebhookDeliveryPage,
  type WebhookQueued,
  type WebhookResponse,
  webhookEventType,
} from '@vortex/contracts';
import { type DeliveryRecord, newWebhookSecret, type WebhookRecord } from '@vortex/registry';
import type { Caller } from '../access/caller.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type GatewayContext, jsonAnswer, noContent } from '../exchange.ts';
import { readJson } from '../middleware/json-body.ts';
import { readQuery } from '../middleware/query-parameters.ts';
import { jsonBody, jsonContent, pathId, schemas } from '../openapi-schemas.ts';
import { pageOf, pageParameters, placeOf } from '../paging.ts';
import { gatewayProblem } from '../problem.ts';
import { assertWebhookAddress } from '../webhook-address.ts';

/** `/api/webhooks…`: who is told of which events, and what became of each delivery. The sending is ingest's. */
export function webhookEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    create(parts),
    list(parts),
    show(parts),
    remove(parts),
    deliveries(parts),
    test(parts),
    replay(parts),
  ];
}

const tag = 'webhooks' as const;
const itsId = '`id` as `POST /api/webhooks` gave it.';

function create(parts: GatewayParts): Endpoint {
  return {
    method: 'post',
    path: '/api/webhooks',
    access: 'admin',
    tag,
    summary: 'Be told of events',
    description:
      'Every event of the kinds named (all, when none are) is posted to `url`, signed as Standard Webhooks 1.0 says ' +
      'with `secret`, which is made when none is given and shown only in this answer. Only public addresses are sent ' +
      'to, by https, unless the setting `webhooks.allow` lists them.',
    request: jsonBody(schemas.createWebhookRequest, {
      url: 'https://example.com/vortex-events',
      events: ['document.ready', 'document.failed'],
    }),
    responses: { 201: jsonContent(schemas.webhook, 'Made; keep the secret.') },
    problems: [400, 413, 415, 422, 503],
    async handle(context, exchange) {
      const request = await readJson(context, schemas.createWebhookRequest, parts.settings.max_body_bytes);
      assertWebhookAddress(parts.webhookRules, request.url, '/url');
      const made = await parts.registry.createWebhook({
        tenant: exchange.caller.tenant,
        url: request.url,
        events: [...new Set(request.events ?? webhookEventType.options)],
        secret: request.secret ?? newWebhookSecret(),
        description: request.description ?? null,
      });
      const answer: WebhookResponse = { ...responseOf(made), secret: made.secret };
      return jsonAnswer(exchange, answer, 201, { Location: `/api/webhooks/${made.id}` });
    },
  };
}

function list(parts: GatewayParts): Endpoint {
  return {
    method: 'get',
    path: '/api/webhooks',
    access: 'admin',
    tag,
    summary: 'List webhooks',
    responses: { 200: jsonContent(schemas.webhookList, 'All webhooks, without their secrets.') },
    problems: [503],
    async handle(_context, exchange) {
      const webhooks = (await parts.registry.listWebhooks(exchange.caller.tenant)).map(responseOf);
      return jsonAnswer(exchange, { webhooks });
    },
  };
}

function show(parts: GatewayParts): Endpoint {
  return {
    method: 'get',
    path: '/api/webhooks/{id}',
    access: 'admin',
    tag,
    summary: 'Show a webhook',
    request: pathId(itsId),
    responses: { 200: jsonContent(schemas.webhook, 'The webhook, without its secret.') },
    problems: [404, 503],
    async handle(context, exchange) {
      return jsonAnswer(exchange, responseOf(await known(parts, context, exchange.caller)));
    },
  };
}

function remove(parts: GatewayParts): Endpoint {
  return {
    method: 'delete',
    path: '/api/webhooks/{id}',
    access: 'admin',
    tag,
    summary: 'Stop being told',
    request: pathId(itsId),
    responses: { 204: { description: 'Gone, with what was still to be sent to it.' } },
    problems: [404, 503],
    async handle(context, exchange) {
      const { id } = await known(parts, context, exchange.caller);
      if (!(await parts.registry.deleteWebhook(exchange.caller.tenant, id))) throw unknownWebhook();
      return noContent(exchange, {});
    },
  };
}

const pageQuery = z.strictObject(pageParameters);

function deliveries(parts: GatewayParts): Endpoint {
  return {
    method: 'get',
    path: '/api/webhooks/{id}/deliveries',
    access: 'admin',
    tag,
    summary: 'What was sent to a webhook, and what came of it',
    request: { ...pathId(itsId), query: pageQuery },
    responses: { 200: jsonContent(schemas.webhookDeliveryPage, 'Newest first; kept for 30 days.') },
    problems: [404, 422, 503],
    async handle(context, exchange) {
      const { id } = await known(parts, context, exchange.caller);
      const asked = readQuery(context, pageQuery);
      const found = await parts.registry.listDeliveries(exchange.caller.tenant, id, placeOf(asked));
      const { entries, next } = pageOf(found, asked, (delivery) => delivery.id);
      return jsonAnswer(exchange, {
        deliveries: entries.map(deliveryOf),
        next,
      } satisfies WebhookDeliveryPage);
    },
  };
}

function test(parts: GatewayParts): Endpoint {
  return {
    method: 'post',
    path: '/api/webhooks/{id}/test',
    access: 'admin',
    tag,
    summary: 'Send a `webhook.test` event to a webhook',
    request: pathId(itsId),
    responses: { 202: jsonContent(schemas.webhookQueued, 'Will be sent; its deliveries tell how it went.') },
    problems: [404, 503],
    async handle(context, exchange) {
      const { id } = await known(parts, context, exchange.caller);
      const recorded = await parts.registry.recordEvent({
        tenant: exchange.caller.tenant,
        type: 'webhook.test',
        data: { webhook_id: id, message: 'A test, asked for by POST /api/webhooks/{id}/test.' },
        webhookId: id,
      });
      const queued: WebhookQueued = { delivery_ids: recorded.deliveryIds };
      return jsonAnswer(exchange, queued, 202);
    },
  };
}

function replay(parts: GatewayParts): Endpoint {
  return {
    method: 'post',
    path: '/api/webhooks/{id}/deliveries/{delivery_id}/replay',
    access: 'admin',
    tag,
    summary: 'Send a delivery once more, whatever became of it',
    request: { params: z.object({ id: z.string(), delivery_id: z.string() }) },
    responses: { 202: jsonContent(schemas.webhookQueued, 'Will be sent again, with the same `webhook-id`.') },
    problems: [404, 503],
    async handle(context, exchange) {
      const { id } = await known(parts, context, exchange.caller);
      const deliveryId = context.req.param('delivery_id') ?? '';
      if (!(await parts.registry.replayDelivery(exchange.caller.tenant, id, deliveryId))) {
        throw gatewayProblem('not_found', {
          detail: 'This webhook has no such delivery, or it is more than 30 days old.',
        });
      }
      const queued: WebhookQueued = { delivery_ids: [deliveryId] };
      return jsonAnswer(exchange, queued, 202);
    },
  };
}

async function known(
  parts: GatewayParts,
  context: GatewayContext,
  { tenant }: Caller,
): Promise<WebhookRecord> {
  const webhook = await parts.registry.getWebhook(tenant, context.req.param('id') ?? '');
  if (webhook === null) throw unknownWebhook();
  return webhook;
}

function unknownWebhook() {
  return gatewayProblem('not_found', { detail: 'There is no such webhook. GET /api/webhooks lists them.' });
}

function responseOf(webhook: WebhookRecord): WebhookResponse {
  return {
    id: webhook.id,
    url: webhook.url,
    events: webhook.events,
    description: webhook.description,
    created_at: new Date(webhook.createdAt).toISOString(),
  };
}

function deliveryOf(delivery: DeliveryRecord): WebhookDelivery {
  const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: delivery.id,
    webhook_id: delivery.webhookId,
    url: delivery.url,
    event_id: delivery.eventId,
    event_type: delivery.eventType,
    state: delivery.state,
    attempts: delivery.attempts,
    status_code: delivery.statusCode,
    error: delivery.error,
    next_attempt_at: time(delivery.nextAttemptAt),
    created_at: new Date(delivery.createdAt).toISOString(),
    delivered_at: time(delivery.deliveredAt),
  };
}
