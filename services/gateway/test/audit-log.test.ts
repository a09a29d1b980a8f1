import { adminActPage } from '@vortex/contracts';
import { createLogger } from '@vortex/observability';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';
import { acceptDocument } from './with-document.ts';

async function audited() {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const gateway = await gatewayUnderTest({}, createLogger({ service: 'gateway', destination }));
  const made = await gateway.post('/api/keys', { scopes: ['query', 'ingest', 'admin'] });
  const { key, id } = (await made.json()) as { key: string; id: string };
  const headers = { Authorization: `Bearer ${key}` };
  const call = (method: string, path: string, body?: unknown, more = {}) =>
    gateway.app.request(path, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'Content-Type': 'application/json' }), ...more },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const acts = async (query = '') =>
    adminActPage.parse(await (await call('GET', `/api/audit-log${query}`)).json());
  return { ...gateway, id, key, call, acts, lines: () => lines.filter(({ msg }) => msg === 'audit') };
}

describe('the audit log', () => {
  it('says who did what when, in the registry and in the log', async () => {
    const gateway = await audited();
    const { documentId, publish } = await acceptDocument(gateway);
    await publish();
    const { call, id } = gateway;
    await call('POST', '/api/collections', { name: 'handbook' });
    await call('DELETE', `/api/documents/${documentId}`);
    await call('DELETE', '/api/collections/handbook', undefined, { 'X-Request-Id': 'mine' });
    const { acts, next } = await gateway.acts();
    expect(next).toBeNull();
    expect(acts.map((act) => [act.act, act.target, act.key_id, act.status])).toEqual([
      ['DELETE /api/collections/{name}', '/api/collections/handbook', id, 200],
      ['DELETE /api/documents/{id}', `/api/documents/${documentId}`, id, 200],
      ['POST /api/collections', '/api/collections/handbook', id, 201],
      ['POST /api/keys', `/api/keys/${id}`, null, 201],
    ]);
    expect(acts[0]).toMatchObject({ request_id: 'mine', tenant: 'default', at: expect.stringMatching(/Z$/) });
    expect(gateway.lines()).toHaveLength(4);
    expect(gateway.lines().at(-1)).toMatchObject({ act: 'DELETE /api/collections/{name}', key_id: id });
  });

  it('has no key, and nothing that was refused, failed or only read', async () => {
    const { call, acts, key, app } = await audited();
    await call('DELETE', '/api/collections/nowhere');
    await call('POST', '/api/webhooks', { url: 'http://10.0.0.1/' });
    await call('GET', '/api/keys');
    await app.request('/api/dead-letters', { method: 'DELETE' });
    await call('POST', '/query', { query: 'a' });
    const log = await acts();
    expect(log.acts.map(({ act }) => act)).toEqual(['POST /api/keys']);
    expect(JSON.stringify(log)).not.toContain(key.slice(-20));
  });

  it('comes in pages, and to nobody without the scope', async () => {
    const { call, acts, app } = await audited();
    for (const name of ['a', 'b', 'c']) await call('POST', '/api/collections', { name });
    const first = await acts('?limit=3');
    expect(first.acts).toHaveLength(3);
    expect((await acts(`?limit=3&after=${first.next}`)).acts).toHaveLength(1);
    const made = await call('POST', '/api/keys', { scopes: ['ingest'] });
    const { key } = (await made.json()) as { key: string };
    const refused = await app.request('/api/audit-log', { headers: { Authorization: `Bearer ${key}` } });
    expect(refused.status).toBe(403);
  });

  it('that cannot be written fails no act, and the log has it', async () => {
    const gateway = await audited();
    gateway.registry.recordAdminAct = () => Promise.reject(new Error('the disk is full'));
    expect((await gateway.call('POST', '/api/collections', { name: 'a' })).status).toBe(201);
    expect(gateway.lines().at(-1)).toMatchObject({ target: '/api/collections/a' });
  });
});
