import { keyList, keyResponse, keyWithSecret } from '@vortex/contracts';
import { hashSecret, localKey, newKeySecret, parseKey, textOfKey } from '@vortex/registry';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';

const hour = 3_600_000;

/** A gateway with one key: its door is closed. */
async function closedGateway(request: object = { scopes: ['admin'] }) {
  const gateway = await gatewayUnderTest();
  const response = await gateway.post('/api/keys', request);
  const made = keyWithSecret.parse(await response.json());
  const call = (path: string, key: string | null = made.key, method = 'GET', body?: object) =>
    gateway.app.request(path, {
      method,
      headers: {
        ...(key !== null && { Authorization: `Bearer ${key}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const make = async (more: object) =>
    keyWithSecret.parse(await (await call('/api/keys', made.key, 'POST', more)).json());
  const machine = textOfKey(localKey(gateway.pepper));
  return { ...gateway, response, made, call, make, machine };
}

describe('POST /api/keys', () => {
  it('makes the first key, for the tenant there was, and closes the door', async () => {
    const { response, made, call, app } = await closedGateway();
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/api/keys/${made.id}`);
    expect(made).toMatchObject({ tenant: 'default', scopes: ['admin'], state: 'active', expires_at: null });
    expect(made.key).toMatch(new RegExp(`^vx_${made.id}_[0-9A-Za-z]{43}$`));
    const refused = await app.request('/api/keys');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer realm="vortex"');
    expect(await refused.json()).toMatchObject({ code: 'key_required', status: 401, instance: '/api/keys' });
    expect((await app.request('/healthz')).status).toBe(200);
    const listed = keyList.parse(await (await call('/api/keys')).json());
    const { key: _key, ...shown } = made;
    expect(listed.keys).toEqual([shown]);
  });

  it('keeps a hash under the pepper, and the secret nowhere', async () => {
    const { made, registry, pepper } = await closedGateway();
    const { secret = '' } = parseKey(made.key) ?? {};
    const stored = await registry.findKey(made.id);
    expect(stored?.secretHash).toBe(hashSecret(pepper, secret));
    expect(JSON.stringify(stored)).not.toContain(secret);
  });

  it('makes keys of other tenants for the machine, or before there is any; a key only of its own', async () => {
    const { call, machine, make } = await closedGateway({ scopes: ['admin'], tenant: 'shop' });
    expect(await make({ scopes: ['query'] })).toMatchObject({ tenant: 'shop' });
    const foreign = { scopes: ['query'], tenant: 'default' };
    const refused = await call('/api/keys', undefined, 'POST', foreign);
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: 'tenant_forbidden' });
    const ofMachine = await call('/api/keys', machine, 'POST', foreign);
    expect(keyWithSecret.parse(await ofMachine.json())).toMatchObject({ tenant: 'default' });
    const ids = async (key?: string) =>
      keyList.parse(await (await call('/api/keys', key)).json()).keys.length;
    expect(await ids()).toBe(2);
    expect(await ids(machine)).toBe(3);
  });

  it.each([
    [{}, '/scopes'],
    [{ scopes: [] }, '/scopes'],
    [{ scopes: ['root'] }, '/scopes/0'],
    [{ scopes: ['query'], tenant: '../b' }, '/tenant'],
    [{ scopes: ['query'], collections: [] }, '/collections'],
    [{ scopes: ['admin'], collections: ['a'] }, '/collections'],
    [{ scopes: ['query'], expires_at: 'soon' }, '/expires_at'],
    [{ scopes: ['query'], expires_at: '2020-01-01T00:00:00Z' }, '/expires_at'],
    [{ scopes: ['query'], secret: 'mine' }, '/secret'],
  ])('refuses %j', async (body, pointer) => {
    const { post, registry } = await gatewayUnderTest();
    const response = await post('/api/keys', body);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ errors: [{ pointer }] });
    expect(await registry.hasKeys()).toBe(false);
  });
});

describe('a key', () => {
  it('opens what its scopes say and nothing else', async () => {
    const { call, make } = await closedGateway();
    const { key } = await make({ scopes: ['query'] });
    expect((await call('/api/collections', key)).status).toBe(200);
    const refused = await call('/api/webhooks', key);
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: 'scope_missing' });
    expect((await call('/api/collections', key, 'POST', { name: 'a' })).status).toBe(403);
    // None contains another.
    expect((await call('/api/collections')).status).toBe(403);
  });

  it('is rotated with an overlap, in which both secrets hold, or without one', async () => {
    const { call, made, registry } = await closedGateway();
    const rotate = async (key: string, body?: object) => {
      const response = await call(`/api/keys/${made.id}/rotate`, key, 'POST', body);
      return {
        status: response.status,
        ...(keyWithSecret.safeParse(await response.json()).data ?? { key: '' }),
      };
    };
    const second = await rotate(made.key);
    expect(second).toMatchObject({ status: 200, id: made.id, state: 'active' });
    expect((await registry.findKey(made.id))?.previousUntil).toBeGreaterThan(Date.now() + 23 * hour);
    for (const key of [made.key, second.key]) expect((await call('/api/keys', key)).status).toBe(200);
    const third = await rotate(second.key, { overlap_s: 0 });
    const statuses = [made.key, second.key, third.key].map(
      async (key) => (await call('/api/keys', key)).status,
    );
    expect(await Promise.all(statuses)).toEqual([401, 401, 200]);
    expect((await rotate(third.key, { overlap_s: -1 })).status).toBe(422);
  });

  it('is revoked at once, stays in the list, and cannot be rotated any more', async () => {
    const { call, make } = await closedGateway();
    const { id, key } = await make({ scopes: ['query'] });
    expect((await call('/api/collections', key)).status).toBe(200);
    expect((await call(`/api/keys/${id}`, undefined, 'DELETE')).status).toBe(204);
    expect((await call('/api/collections', key)).status).toBe(401);
    const shown = keyResponse.parse(await (await call(`/api/keys/${id}`)).json());
    expect(shown).toMatchObject({ state: 'revoked', revoked_at: expect.any(String) as unknown });
    const rotated = await call(`/api/keys/${id}/rotate`, undefined, 'POST');
    expect(rotated.status).toBe(409);
    expect(await rotated.json()).toMatchObject({ code: 'key_ended' });
  });

  it('ends at its time', async () => {
    const { call, registry, pepper } = await closedGateway();
    const secret = newKeySecret();
    await registry.createKey({
      ...{ id: 'old', tenant: 'default', name: null, scopes: ['admin'], collections: null, limits: null },
      ...{ secretHash: hashSecret(pepper, secret), expiresAt: Date.now() - 1 },
    });
    expect((await call('/api/keys', textOfKey({ id: 'old', secret }))).status).toBe(401);
    expect(await (await call('/api/keys/old')).json()).toMatchObject({ state: 'expired' });
  });

  it('of another tenant is not there, byte for byte', async () => {
    const { call, machine } = await closedGateway();
    const theirs = keyWithSecret.parse(
      await (await call('/api/keys', machine, 'POST', { scopes: ['admin'], tenant: 'b' })).json(),
    );
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/rotate'],
    ] as const) {
      const answers = await Promise.all(
        [theirs.id, '0123456789abcdef'].map(async (id) => {
          const response = await call(`/api/keys/${id}${path}`, undefined, method);
          const {
            instance: _path,
            request_id: _id,
            ...problem
          } = (await response.json()) as Record<string, unknown>;
          return { status: response.status, problem };
        }),
      );
      expect(answers[0]).toMatchObject({ status: 404, problem: { code: 'not_found' } });
      expect(answers[0]).toEqual(answers[1]);
    }
    expect((await call('/api/keys', theirs.key)).status).toBe(200);
  });

  it('is asked for before the body is read, and answered in OpenAI’s words on its routes', async () => {
    const { app } = await closedGateway();
    const response = await app.request('/v1/chat/completions', { method: 'POST', body: 'no JSON' });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: 'key_required' } });
  });

  it('is not needed for the probes and metrics of this machine, and shows nobody the replicas', async () => {
    const { app, call, made } = await closedGateway();
    expect((await app.request('/metrics')).status).toBe(401);
    expect((await call('/metrics', made.key)).status).toBe(200);
    expect(await (await app.request('/health')).json()).toMatchObject({ replicas: [], version: null });
  });
});
