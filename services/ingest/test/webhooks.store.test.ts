import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMetrics, silentLogger } from '@vortex/observability';
import { derivedWebhookSecret, newWebhookSecret, openSqliteRegistry, type Registry } from '@vortex/registry';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type DelivererDeps, startWebhookDeliverer } from '../src/webhooks/deliverer.ts';
import { type Receiver, startReceiver } from './webhook-receiver.ts';

// One piece: one receiver and one outbox for all.

/** The outbox in a real registry, emptied to real receivers on loopback. */
const tenant = 'default';
const secret = newWebhookSecret();

let folder: string;
let registry: Registry;
let receiver: Receiver;
let hash: Map<string, Record<string, string>>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vortex-webhooks-'));
  registry = openSqliteRegistry({ file: join(folder, 'registry.db') });
  receiver = await startReceiver(() => secret);
  hash = new Map();
});
afterEach(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

function start(deps: Partial<DelivererDeps> = {}) {
  const metrics = createMetrics('ingest');
  const deliverer = startWebhookDeliverer({
    registry,
    jobs: { jobStatus: async (id) => hash.get(id) ?? null },
    settings: { allow: ['127.0.0.1'], max_attempts: 12, timeout_ms: 5000 },
    log: silentLogger,
    metrics,
    pollMs: 10,
    delayMs: () => 1,
    ...deps,
  });
  onTestFinished(() => deliverer.stop());
  return { deliverer, metrics };
}

async function webhook(url = `${receiver.url}/hook`): Promise<string> {
  const events = ['query.completed', 'query.failed'] as const;
  return (await registry.createWebhook({ tenant, url, events, secret, description: null })).id;
}

async function announce(webhookId: string, data: Record<string, unknown> = {}): Promise<string> {
  const { deliveryIds } = await registry.recordEvent({ tenant, type: 'webhook.test', data, webhookId });
  return deliveryIds[0] ?? expect.fail('no delivery');
}

const log = (webhookId: string) => registry.listDeliveries(tenant, webhookId, { limit: 1000 });
const settled = (webhookId: string) =>
  until('every delivery is settled', async () => {
    const deliveries = await log(webhookId);
    return deliveries.every(({ state }) => state !== 'pending') ? deliveries : null;
  });

describe('a delivery', () => {
  it('is signed, so that whoever has the secret can tell it from a forgery', async () => {
    const id = await webhook();
    await announce(id, { text: 'Grüße, 東京 🚆' });
    const { metrics } = start();
    const [delivery] = await settled(id);
    const [message] = receiver.received;
    expect(message).toMatchObject({ signed: true, id: delivery?.eventId, path: '/hook' });
    expect(message?.body).toMatchObject({ type: 'webhook.test', data: { text: 'Grüße, 東京 🚆' } });
    expect(Math.abs((message?.timestamp ?? 0) * 1000 - Date.now())).toBeLessThan(60_000);
    expect(delivery).toMatchObject({ state: 'delivered', attempts: 1, statusCode: 200, error: null });
    expect((await metrics.render()).body).toMatch(/rag_webhook_deliveries_total\{outcome="delivered".*\} 1/);
  });

  it('to a webhook_url is signed with the secret that follows from the address', async () => {
    const other = await startReceiver(() => derived);
    const url = `${other.url}/once?job=1`;
    const derived = derivedWebhookSecret(await registry.signingKey(), tenant, url);
    await registry.recordEvent({ tenant, type: 'query.completed', data: {}, url });
    start();
    const message = await until('it has arrived', () => other.received[0]);
    expect(message).toMatchObject({ signed: true, path: '/once?job=1' });
  });

  it('that fails is sent again, the same bytes under the same id, until it is taken', async () => {
    const id = await webhook();
    const asked: [number, number | null][] = [];
    receiver.answer = (response) => {
      const status = [500, 302, 429, 204][receiver.received.length - 1] ?? 200;
      response.writeHead(status, { 'retry-after': '7', location: '/elsewhere' }).end();
    };
    await announce(id);
    start({
      delayMs: (attempt, retryAfterMs) => {
        asked.push([attempt, retryAfterMs]);
        return 1;
      },
    });
    const [delivery] = await settled(id);
    expect(delivery).toMatchObject({ state: 'delivered', attempts: 4, statusCode: 204 });
    expect(new Set(receiver.received.map(({ id, raw }) => id + raw)).size).toBe(1);
    expect(receiver.received.every(({ signed, path }) => signed && path === '/hook')).toBe(true);
    expect(asked).toEqual([
      [1, 7000],
      [2, 7000],
      [3, 7000],
    ]);
  });

  it('waits its time: nothing is sent before the next attempt is due', async () => {
    const id = await webhook();
    receiver.answer = (response) => response.writeHead(503).end();
    await announce(id);
    start({ delayMs: () => 3_600_000 });
    const delivery = await until('the first attempt is noted', async () => {
      const [one] = await log(id);
      return one?.statusCode === 503 ? one : null;
    });
    expect(delivery).toMatchObject({ state: 'pending', attempts: 1, error: 'the receiver answered 503' });
    expect(delivery.nextAttemptAt).toBeGreaterThan(Date.now() + 3_000_000);
    const later = await webhook();
    receiver.answer = (response) => response.end();
    await announce(later);
    await settled(later);
    expect(receiver.received).toHaveLength(2);
  });

  it('is given up after the last attempt, at once when the receiver is gone, and can be replayed', async () => {
    const id = await webhook();
    receiver.answer = (response) => response.writeHead(500).end();
    const deliveryId = await announce(id);
    start({ settings: { allow: ['127.0.0.1'], max_attempts: 3, timeout_ms: 5000 } });
    const [delivery] = await settled(id);
    expect(delivery).toMatchObject({
      ...{ state: 'failed', attempts: 3, statusCode: 500 },
      error: 'the receiver answered 500; given up after 3 attempts',
    });
    receiver.answer = (response) => response.end();
    expect(await registry.replayDelivery(tenant, id, deliveryId)).toBe(true);
    const [replayed] = await settled(id);
    expect(replayed).toMatchObject({ id: deliveryId, state: 'delivered', attempts: 4 });
    expect(new Set(receiver.received.map((message) => message.id)).size).toBe(1);

    const gone = await webhook(`${receiver.url}/gone`);
    receiver.answer = (response) => response.writeHead(410).end();
    await announce(gone);
    const [last] = await settled(gone);
    expect(last).toMatchObject({ state: 'failed', attempts: 1, statusCode: 410 });
  });

  it('to an address that is not allowed is never sent, and fails at once with the reason', async () => {
    const id = await webhook();
    await announce(id);
    const { metrics } = start({ settings: { allow: [], max_attempts: 12, timeout_ms: 5000 } });
    const [delivery] = await settled(id);
    expect(delivery).toMatchObject({ state: 'failed', attempts: 1, statusCode: null });
    expect(delivery?.error).toMatch(/^blocked: 127\.0\.0\.1 is not a public address.*webhooks\.allow/);
    expect(receiver.received).toEqual([]);
    expect((await metrics.render()).body).toMatch(/rag_webhook_deliveries_total\{outcome="blocked".*\} 1/);
  });
});

describe('many deliveries', () => {
  it('all arrive at a receiver that fails three of ten times, each under its own id', async () => {
    const id = await webhook();
    // Always the same three of ten, so that the test is the same each time.
    let requests = 0;
    receiver.answer = (response) => {
      requests += 1;
      response.writeHead(requests % 10 < 3 ? 503 : 200).end();
    };
    for (let number = 0; number < 100; number += 1) await announce(id, { number });
    start();
    const deliveries = await settled(id);
    expect(deliveries).toHaveLength(100);
    expect(deliveries.every(({ state }) => state === 'delivered')).toBe(true);
    const numbers = receiver.received.map(({ body }) => Number(body.data.number));
    expect(new Set(numbers).size).toBe(100);
    expect(new Set(receiver.received.map((message) => message.id)).size).toBe(100);
    expect(receiver.received.length).toBeGreaterThan(140);
    expect(receiver.received.every(({ signed }) => signed)).toBe(true);
  });

  it('are not held up by a receiver that hangs, which gets two at a time', async () => {
    const slow = await startReceiver(() => secret);
    slow.answer = () => undefined;
    const hanging = await webhook(`${slow.url}/hang`);
    for (let number = 0; number < 30; number += 1) await announce(hanging, { number });
    const { deliverer } = start({
      settings: { allow: ['127.0.0.1'], max_attempts: 12, timeout_ms: 60_000 },
    });
    await until('the slow receiver has its two', () => slow.received.length === 2);
    const id = await webhook();
    for (let number = 0; number < 30; number += 1) await announce(id, { number });
    const deliveries = await settled(id);
    expect(deliveries.every(({ state }) => state === 'delivered')).toBe(true);
    expect(slow.received).toHaveLength(2);
    // What was claimed and not sent has used up one attempt; what was not claimed has none.
    expect((await log(hanging)).filter(({ attempts }) => attempts === 0).length).toBeGreaterThan(20);
    await deliverer.stop();
  });

  it('that hang are ended by the timeout and tried again', async () => {
    const id = await webhook();
    receiver.answer = (response) => {
      if (receiver.received.length > 2) response.end();
    };
    await announce(id);
    start({ settings: { allow: ['127.0.0.1'], max_attempts: 12, timeout_ms: 100 } });
    const [delivery] = await settled(id);
    expect(delivery).toMatchObject({ state: 'delivered' });
    // A machine that stalls may need more.
    expect(delivery?.attempts).toBeGreaterThanOrEqual(3);
  });
});

describe('a deliverer that dies', () => {
  it('between sending and settling is followed by another, who sends again under the same id', async () => {
    const id = await webhook();
    await announce(id);
    receiver.answer = () => undefined;
    const process_ = spawn(process.execPath, [
      '--conditions=vortex-source',
      '--no-warnings',
      fileURLToPath(import.meta.resolve('./fixtures/deliverer-process.ts')),
      join(folder, 'registry.db'),
    ]);
    await until('it has sent', () => receiver.received.length === 1);
    const ended = new Promise((resolve) => process_.once('exit', resolve));
    process_.kill('SIGKILL');
    await ended;
    expect(await log(id)).toMatchObject([{ state: 'pending', attempts: 1 }]);

    receiver.answer = (response) => response.end();
    const anHourLater = () => Date.now() + 3_600_000;
    const later = openSqliteRegistry({ file: join(folder, 'registry.db'), now: anHourLater });
    onTestFinished(() => later.close());
    start({ registry: later, now: anHourLater });
    const [delivery] = await settled(id);
    expect(delivery).toMatchObject({ state: 'delivered', attempts: 2 });
    expect(receiver.received.map((message) => message.id)).toEqual(Array(2).fill(delivery?.eventId));
  });

  it('leaves what hangs when it is stopped, and stops', async () => {
    const id = await webhook();
    receiver.answer = () => undefined;
    await announce(id);
    const { deliverer } = start({ stopPatienceMs: 10 });
    await until('it is under way', () => receiver.received.length === 1);
    await deliverer.stop();
    expect(await log(id)).toMatchObject([{ state: 'pending', attempts: 1 }]);
  });
});

describe('an asynchronous question', () => {
  it('is told of when it has ended, with its result or its error, once', async () => {
    const id = await webhook();
    for (const jobId of ['qry_1', 'qry_2', 'qry_3']) {
      hash.set(jobId, { id: jobId, status: 'processing' });
      await registry.watchQuery({ tenant, jobId, url: null });
    }
    // Two workers look at the same questions.
    start();
    start();
    hash.set('qry_1', { status: 'completed', result: '{"answer":"42"}' });
    hash.set('qry_2', { status: 'failed', error: 'no model', error_code: 'generator_failed' });
    await until('both are told', () => receiver.received.length === 2);
    expect(receiver.received.map(({ body }) => ({ type: body.type, data: body.data }))).toEqual(
      expect.arrayContaining([
        {
          type: 'query.completed',
          data: { job_id: 'qry_1', status: 'completed', result: { answer: '42' } },
        },
        {
          type: 'query.failed',
          data: {
            ...{ job_id: 'qry_2', status: 'failed' },
            error: { code: 'generator_failed', message: 'no model' },
          },
        },
      ]),
    );
    expect(await registry.watchedQueries(10)).toMatchObject([{ jobId: 'qry_3' }]);
    expect(await log(id)).toHaveLength(2);
  });

  it('that the queue has lost has failed, but not while it may not be there yet', async () => {
    const clock = { now: Date.now() };
    await webhook();
    await registry.watchQuery({ tenant, jobId: 'qry_lost', url: null });
    let looks = 0;
    start({
      now: () => clock.now,
      jobs: {
        jobStatus: async () => {
          looks += 1;
          return null;
        },
      },
    });
    await until('it has been looked for', () => looks > 2);
    expect(receiver.received).toEqual([]);
    clock.now += 120_000;
    const message = await until('its failure is told', () => receiver.received[0]);
    expect(message.body).toMatchObject({
      ...{
        type: 'query.failed',
        data: { job_id: 'qry_lost', status: 'failed', error: { code: 'internal' } },
      },
    });
  });
});
