import { webhookDeliveryPage, webhookResponse } from '@vortex/contracts';
import { QueueFull } from '@vortex/queue';
import { derivedWebhookSecret } from '@vortex/registry';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';

const url = 'https://hooks.example/vortex';

async function withWebhook(body: object = { url }) {
  const gateway = await gatewayUnderTest();
  const response = await gateway.post('/api/webhooks', body);
  const webhook = webhookResponse.parse(await response.json());
  const call = (path: string, method = 'GET') =>
    gateway.app.request(`/api/webhooks/${webhook.id}${path}`, { method });
  return { ...gateway, response, webhook, call };
}

describe('POST /api/webhooks', () => {
  it('makes a secret and shows it this once', async () => {
    const { response, webhook, app, call } = await withWebhook();
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/api/webhooks/${webhook.id}`);
    expect(webhook.secret).toMatch(/^whsec_/);
    expect(webhook.events).toHaveLength(5);
    const { secret: _, ...known } = webhook;
    expect(await (await call('')).json()).toEqual(known);
    expect(await (await app.request('/api/webhooks')).json()).toEqual({ webhooks: [known] });
  });

  it('takes a secret, events and a description', async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const given = { url, secret, events: ['query.failed', 'query.failed'], description: 'pager' };
    const { webhook } = await withWebhook(given);
    expect(webhook).toMatchObject({ secret, events: ['query.failed'], description: 'pager' });
  });

  it.each([
    ['http://hooks.example/', /not https/],
    ['https://10.0.0.1/', /10\.0\.0\.1 is not a public address/],
    ['https://0x7f000002/', /127\.0\.0\.2 is not a public address/],
    ['https://[::ffff:127.0.0.1]/', /not a public address/],
    ['https://hooks.example:22/', /port 22/],
  ])('refuses %s at once and names the setting', async (address, reason) => {
    const { post, registry } = await gatewayUnderTest();
    const response = await post('/api/webhooks', { url: address });
    expect(response.status).toBe(422);
    const problem = (await response.json()) as { detail: string; errors: { pointer: string }[] };
    expect(problem.detail).toMatch(reason);
    expect(problem.detail).toContain('webhooks.allow');
    expect(problem.errors).toMatchObject([{ pointer: '/url' }]);
    expect(await registry.listWebhooks('default')).toEqual([]);
  });

  it('takes what the setting lists, also by http', async () => {
    const { response } = await withWebhook({ url: 'http://127.0.0.1:9000/' });
    expect(response.status).toBe(201);
  });
});

describe('a webhook', () => {
  it('can be tested, and its deliveries are listed in pages and replayed', async () => {
    const { call, post, registry, webhook } = await withWebhook();
    const tests = [await call('/test', 'POST'), await call('/test', 'POST'), await call('/test', 'POST')];
    expect(tests.map(({ status }) => status)).toEqual([202, 202, 202]);
    const first = webhookDeliveryPage.parse(await (await call('/deliveries?limit=2')).json());
    expect(first.deliveries).toHaveLength(2);
    const second = webhookDeliveryPage.parse(await (await call(`/deliveries?after=${first.next}`)).json());
    expect(second).toMatchObject({ deliveries: [{ webhook_id: webhook.id }], next: null });

    const due = await registry.claimDeliveries({ leaseMs: 1000, limit: 10 });
    expect(due).toMatchObject(Array(3).fill({ type: 'webhook.test', secret: webhook.secret }));
    const [one] = due;
    await registry.settleDelivery(one?.id ?? '', { state: 'failed', statusCode: 500, error: 'broken' });
    const another = webhookResponse.parse(await (await post('/api/webhooks', { url })).json());
    const elsewhere = await post(`/api/webhooks/${another.id}/deliveries/${one?.id}/replay`, '');
    expect(elsewhere.status).toBe(404);
    const replayed = await call(`/deliveries/${one?.id}/replay`, 'POST');
    expect([replayed.status, await replayed.json()]).toEqual([202, { delivery_ids: [one?.id] }]);
    expect(await registry.claimDeliveries({ leaseMs: 1000, limit: 10 })).toMatchObject([
      { id: one?.id, eventId: one?.eventId, attempt: 2 },
    ]);
    expect((await call('/deliveries/dlv_unknown/replay', 'POST')).status).toBe(404);
    for (const query of ['limit=0', 'after=dlv_unknown', 'afer=1']) {
      expect((await call(`/deliveries?${query}`)).status, query).toBe(422);
    }
  });

  it('is gone when it is deleted, with what was to be sent to it', async () => {
    const { call, registry } = await withWebhook();
    await call('/test', 'POST');
    const deleted = await call('', 'DELETE');
    expect([deleted.status, await deleted.text()]).toEqual([204, '']);
    for (const [path, method] of [
      ['', 'GET'],
      ['', 'DELETE'],
      ['/deliveries', 'GET'],
      ['/test', 'POST'],
    ] as const) {
      expect((await call(path, method)).status, `${method} ${path}`).toBe(404);
    }
    expect(await registry.claimDeliveries({ leaseMs: 1000, limit: 10 })).toEqual([]);
  });

  it('says which methods it takes', async () => {
    const { call } = await withWebhook();
    const response = await call('', 'PUT');
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, DELETE, OPTIONS']);
  });
});

describe('POST /query with webhook_url', () => {
  const question = { query: 'who reads?', async: true, webhook_url: url };

  it('watches the question before it is queued, and tells the secret', async () => {
    const { post, queue, registry } = await gatewayUnderTest();
    let watchedAtAdmission: string[] = [];
    queue.admit = async () => {
      watchedAtAdmission = (await registry.watchedQueries(10)).map(({ jobId }) => jobId);
    };
    const response = await post('/query', question);
    expect(response.status).toBe(202);
    const accepted = (await response.json()) as { job_id: string; webhook_secret: string };
    expect(watchedAtAdmission).toEqual([accepted.job_id]);
    expect(await registry.watchedQueries(10)).toMatchObject([{ jobId: accepted.job_id, url }]);
    expect(accepted.webhook_secret).toBe(derivedWebhookSecret(await registry.signingKey(), 'default', url));
  });

  it('forgets the question that the queue refused', async () => {
    const { post, queue, registry } = await gatewayUnderTest();
    queue.admit = async () => {
      throw new QueueFull(1000);
    };
    expect((await post('/query', question)).status).toBe(503);
    expect(await registry.watchedQueries(10)).toEqual([]);
  });

  it('is refused without async, and for an address that is not sent to', async () => {
    const { post, queue } = await gatewayUnderTest();
    for (const body of [
      { query: 'x', webhook_url: url },
      { query: 'x', stream: true, webhook_url: url },
      { ...question, webhook_url: 'https://192.168.0.1/' },
    ]) {
      const response = await post('/query', body);
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({ errors: [{ pointer: '/webhook_url' }] });
    }
    expect(queue.submitted).toEqual([]);
  });

  it('without one is watched only when a webhook wants to hear of questions', async () => {
    const plain = { query: 'who reads?', async: true };
    const { post, registry } = await gatewayUnderTest();
    await post('/api/webhooks', { url, events: ['document.ready'] });
    const unwatched = await post('/query', plain);
    expect(await unwatched.json()).not.toHaveProperty('webhook_secret');
    expect(await registry.watchedQueries(10)).toEqual([]);
    await post('/api/webhooks', { url, events: ['query.failed'] });
    const watched = await post('/query', plain);
    expect(await watched.json()).not.toHaveProperty('webhook_secret');
    expect(await registry.watchedQueries(10)).toMatchObject([{ url: null }]);
  });
});
