import { silentLogger } from '@vortex/observability';
import type { AuditRegistry, NewAdminAct } from '@vortex/registry';
import { describe, expect, it } from 'vitest';
import type { Exchange } from '../exchange.ts';
import { createAuditTrail } from './audit-trail.ts';

const dayMs = 86_400_000;

function trail() {
  const clock = { now: 1000 * dayMs };
  const recorded: NewAdminAct[] = [];
  const forgotten: number[] = [];
  const registry: AuditRegistry = {
    recordAdminAct: async (act) => void recorded.push(act),
    listAdminActs: async () => [],
    forgetAdminActs: async (createdBefore) => forgotten.push(createdBefore),
  };
  const audit = createAuditTrail({ registry, log: silentLogger, keepDays: 400, now: () => clock.now });
  const exchange = {
    ...{ method: 'DELETE', route: '/api/keys/{id}', path: '/api/keys/k1', requestId: 'req_1' },
    caller: { tenant: 'shop', keyId: 'k2' },
  } as Exchange;
  const note = (status = 204) => audit.note(exchange, new Response(null, { status }));
  return { audit, clock, recorded, forgotten, note };
}

describe('the audit trail', () => {
  it.each([
    ['delete', '/api/keys/{id}', 'admin', true],
    ['get', '/api/keys', 'admin', false],
    ['post', '/api/collections', 'ingest', true],
    ['patch', '/api/collections/{name}', 'ingest', true],
    ['delete', '/api/collections/{name}', 'ingest', true],
    ['delete', '/api/documents/{id}', 'ingest', true],
    ['post', '/api/documents/delete', 'ingest', true],
    ['post', '/api/documents', 'ingest', false],
    ['post', '/query', 'query', false],
  ] as const)('of %s %s with the scope %s: %s', (method, path, access, isTold) => {
    expect(trail().audit.covers({ method, path, access })).toBe(isTold);
  });

  it('tells of no act that was refused', async () => {
    const { note, recorded } = trail();
    await note(404);
    expect(recorded).toEqual([]);
    await note();
    expect(recorded).toMatchObject([{ tenant: 'shop', keyId: 'k2', target: '/api/keys/k1', status: 204 }]);
  });

  it('forgets what is older than it is kept, once an hour', async () => {
    const { note, forgotten, clock } = trail();
    await note();
    await note();
    expect(forgotten).toEqual([600 * dayMs]);
    clock.now += 3_600_000;
    await note();
    expect(forgotten).toHaveLength(2);
  });
});
