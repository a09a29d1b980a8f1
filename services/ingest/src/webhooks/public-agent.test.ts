import { createServer, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { readWebhookRules } from '@vortex/registry';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createGuardedDispatchers } from './public-agent.ts';
import { sendDelivery } from './send-delivery.ts';

/** A real receiver on loopback, which nothing may reach unless it is allowed. */
let receiver: Server;
let port: number;
let requests: number;

beforeEach(async () => {
  requests = 0;
  receiver = createServer((_request, response) => {
    requests += 1;
    response.end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  port = (receiver.address() as AddressInfo).port;
});
afterEach(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
});

/** Says something else each time it is asked; the last answer stays. */
function resolverOf(...answers: string[][]): LookupFunction & { asked: number } {
  const resolve = (...[_host, options, done]: Parameters<LookupFunction>) => {
    const found = answers[Math.min(resolve.asked, answers.length - 1)] ?? [];
    resolve.asked += 1;
    const addresses = found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (options.all === true) done(null, addresses);
    else done(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 4);
  };
  resolve.asked = 0;
  return resolve;
}

function send(url: string, allow: string[], resolve?: LookupFunction, timeoutMs = 5000) {
  const rules = readWebhookRules(allow);
  const dispatchers = createGuardedDispatchers(rules, {
    connectTimeoutMs: timeoutMs,
    ...(resolve && { resolve }),
  });
  onTestFinished(() => dispatchers.close());
  const delivery = {
    ...{ id: 'dlv_1', tenant: 'default', url, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
    ...{ eventId: 'evt_1', type: 'webhook.test', body: '{}', attempt: 1 },
  };
  return sendDelivery(delivery, {
    ...{ rules, dispatchers, timeoutMs },
    stop: new AbortController().signal,
    now: Date.now,
  });
}

describe('the connection of a webhook', () => {
  it('is made to a listed address', async () => {
    expect(await send(`http://127.0.0.1:${port}/`, ['127.0.0.1'])).toEqual({
      kind: 'delivered',
      statusCode: 200,
    });
    const twofold = resolverOf(['::1', '127.0.0.1']);
    expect(await send(`http://localhost:${port}/`, ['127.0.0.1'], twofold)).toEqual({
      kind: 'delivered',
      statusCode: 200,
    });
    expect(await send(`http://hooks.test:${port}/`, ['hooks.test'], resolverOf(['127.0.0.1']))).toEqual({
      kind: 'delivered',
      statusCode: 200,
    });
    expect(requests).toBe(3);
  });

  it.each([
    ['127.0.0.1'],
    ['::1'],
    ['::ffff:127.0.0.1'],
    ['169.254.169.254'],
    ['10.0.0.1'],
    ['64:ff9b::7f00:1'],
    ['0.0.0.0'],
  ])('is not made when the name is at %s', async (address) => {
    const sent = await send(`https://rebound.test:${port}/`, [], resolverOf([address]));
    expect(sent).toMatchObject({ kind: 'blocked', error: expect.stringContaining(address) });
    expect(sent).toMatchObject({ error: expect.stringContaining('webhooks.allow') });
    expect(requests).toBe(0);
  });

  it('is judged by the look-up it is made with: a name that was public a moment ago is blocked', async () => {
    const rebinding = resolverOf(['93.184.216.34'], ['127.0.0.1']);
    rebinding('rebound.test', {}, () => undefined);
    const sent = await send(`https://rebound.test:${port}/`, [], rebinding);
    expect(sent).toMatchObject({ kind: 'blocked' });
    expect(rebinding.asked, 'one look-up per connection').toBe(2);
    expect(requests).toBe(0);
  });

  it('is not made when one of several addresses is forbidden', async () => {
    const sent = await send(`https://two.test:${port}/`, [], resolverOf(['93.184.216.34', '127.0.0.1']));
    expect(sent).toMatchObject({ kind: 'blocked', error: expect.stringContaining('127.0.0.1') });
  });

  it('is not made by plain http to a public address, and not to digits that nobody looks up', async () => {
    const unlisted = await send(`http://public.test:${port}/`, ['10.0.0.0/8'], resolverOf(['93.184.216.34']));
    expect(unlisted).toMatchObject({ kind: 'blocked', error: expect.stringContaining('not https') });
    for (const host of ['127.0.0.1', '0x7f000001', '2130706433', '127.1', '[::1]', '[::ffff:7f00:1]']) {
      expect(await send(`http://${host}:${port}/`, []), host).toMatchObject({ kind: 'blocked' });
      expect(await send(`https://${host}:${port}/`, []), host).toMatchObject({ kind: 'blocked' });
    }
    expect(requests).toBe(0);
  });

  it('does not follow a redirect', async () => {
    receiver.removeAllListeners('request');
    receiver.on('request', (_request, response) => {
      requests += 1;
      response.writeHead(307, { location: `http://127.0.0.1:${port}/inside` }).end();
    });
    expect(await send(`http://127.0.0.1:${port}/`, ['127.0.0.1'])).toMatchObject({
      kind: 'failed',
      statusCode: 307,
      error: expect.stringContaining('redirects are not followed'),
    });
    expect(requests).toBe(1);
  });

  it('says what went wrong when nobody listens, nobody answers, or there is no such name', async () => {
    const failed = { kind: 'failed', statusCode: null, retryAfterMs: null };
    const missing: LookupFunction = (host, _options, done) =>
      done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }), '');
    expect(await send('https://missing.test/', [], missing)).toEqual({
      ...failed,
      error: 'getaddrinfo ENOTFOUND missing.test',
    });
    receiver.removeAllListeners('request');
    receiver.on('request', () => undefined);
    expect(await send(`http://127.0.0.1:${port}/`, ['127.0.0.1'], undefined, 50)).toEqual({
      ...failed,
      error: 'no answer within 50 ms',
    });
    const closed = port;
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
    receiver.listen(0, '127.0.0.1');
    expect(await send(`http://127.0.0.1:${closed}/`, ['127.0.0.1'])).toMatchObject({
      ...failed,
      error: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('takes an endless answer for what its status says', async () => {
    receiver.removeAllListeners('request');
    receiver.on('request', (_request, response) => {
      const flood = () => {
        while (response.write('x'.repeat(65_536)));
      };
      response.on('drain', flood);
      response.on('error', () => undefined);
      flood();
    });
    expect(await send(`http://127.0.0.1:${port}/`, ['127.0.0.1'])).toEqual({
      kind: 'delivered',
      statusCode: 200,
    });
  });
});
