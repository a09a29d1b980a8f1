import { issueKey } from '@vortex/registry';
import { until } from '@vortex/testkit';
import { describe, expect, it } from 'vitest';
import { eventsIn } from './gateway-under-test.ts';
import { withDocument } from './with-document.ts';

/** A request that lives longer than an answer, and the end of the key it came with. */
async function underWay(expiresAt: number | null = null) {
  const gateway = await withDocument();
  const { registry, pepper, keyring, app } = gateway;
  await registry.claimJob('job_1');
  const made = await issueKey(registry, pepper, {
    ...{ tenant: 'default', name: null, scopes: ['ingest'], collections: null, limits: null, expiresAt },
  });
  await keyring.refresh();
  const headers = { Authorization: `Bearer ${made.key}` };
  const get = (path: string) => app.request(path, { headers });
  /** Revoked by another gateway; this one hears of it. */
  const revoke = async () => {
    await registry.revokeKey('default', made.id);
    await keyring.refresh();
  };
  return { ...gateway, made, get, revoke };
}

type UnderWay = Awaited<ReturnType<typeof underWay>>;

const ends: [string, (gateway: UnderWay) => Promise<void>][] = [
  ['is revoked', ({ revoke }) => revoke()],
  [
    'gets another secret, without overlap',
    async ({ registry, keyring, made }) => {
      await registry.rotateKey('default', made.id, { secretHash: 'f'.repeat(64), overlapMs: 0 });
      await keyring.refresh();
    },
  ],
];

describe.each(ends)('when its key %s', (_what, end) => {
  it('a stream of events tells that, and nothing that happened since', async () => {
    const gateway = await underWay();
    const response = await gateway.get('/api/jobs/job_1/events');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader?.read())?.value ?? '';
    expect(eventsIn(text)).toMatchObject([{ event: 'progress' }]);
    await end(gateway);
    await gateway.publish();
    for (let piece = await reader?.read(); piece?.done === false; piece = await reader?.read())
      text += piece.value;
    const [first, last, ...more] = eventsIn(text);
    expect(last).toMatchObject({ event: 'error', data: { code: 'key_invalid', status: 401 } });
    expect(last?.id, 'with another key it goes on from there').toBe(first?.id);
    expect(more).toEqual([]);
  });

  it('a stream ends though nothing happens', async () => {
    const gateway = await underWay();
    const response = await gateway.get('/api/jobs/job_1/events');
    await end(gateway);
    const told = eventsIn(await response.text());
    expect(told.at(-1)).toMatchObject({ event: 'error', data: { code: 'key_invalid' } });
  });

  it.each(['', '/status'])('who waits at /api/jobs/{id}%s is answered 401', async (route) => {
    const gateway = await underWay();
    let looks = 0;
    const { newestEvents } = gateway.registry;
    gateway.registry.newestEvents = (...which) => {
      looks += 1;
      return newestEvents.apply(gateway.registry, which);
    };
    const waiting = gateway.get(`/api/jobs/job_1${route}?wait=60s`);
    await until('it waits', () => looks > 0);
    await end(gateway);
    await gateway.publish();
    const response = await waiting;
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('invalid_token');
    expect(await response.json()).toMatchObject({ code: 'key_invalid' });
  });
});

it('a stream whose key holds goes on, whatever else changes among keys', async () => {
  const gateway = await underWay();
  const response = await gateway.get('/api/jobs/job_1/events');
  const { registry, pepper, keyring, publish } = gateway;
  await issueKey(registry, pepper, {
    ...{ tenant: 'default', name: null, scopes: ['query'], collections: null, limits: null, expiresAt: null },
  });
  await keyring.refresh();
  await publish();
  expect(eventsIn(await response.text()).at(-1)?.event).toBe('end');
});

it('a stream that was begun without a key ends with the first key there is', async () => {
  const gateway = await withDocument();
  const { registry, pepper, keyring, app } = gateway;
  await registry.claimJob('job_1');
  const response = await app.request('/api/jobs/job_1/events');
  await issueKey(registry, pepper, {
    ...{ tenant: 'default', name: null, scopes: ['query'], collections: null, limits: null, expiresAt: null },
  });
  await keyring.refresh();
  const told = eventsIn(await response.text());
  expect(told.at(-1)).toMatchObject({ event: 'error', data: { code: 'key_required' } });
});
