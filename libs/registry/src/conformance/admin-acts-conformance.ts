import { describe, expect, it } from 'vitest';
import { type RegistryUnderTest, tenant } from './fixture-conformance.ts';

export function adminActsConformance(underTest: RegistryUnderTest): void {
  const act = {
    ...{ tenant, keyId: 'k1', act: 'DELETE /api/collections/{name}' },
    ...{ target: '/api/collections/a', status: 200, requestId: 'req_1' },
  };

  describe('acts of administrators', () => {
    it('are listed newest first, in pages, for their tenant alone', async () => {
      const { registry } = underTest;
      for (const target of ['/a', '/b', '/c']) {
        await registry.recordAdminAct({ ...act, target });
        underTest.clock += 1;
      }
      await registry.recordAdminAct({ ...act, tenant: 'other', keyId: null });
      const first = await registry.listAdminActs(tenant, { limit: 2 });
      expect(first.map(({ target }) => target)).toEqual(['/c', '/b']);
      const last = first.at(-1);
      if (last === undefined) throw new Error('there is a second one');
      expect(await registry.listAdminActs(tenant, { after: last })).toMatchObject([{ ...act, target: '/a' }]);
      expect(await registry.listAdminActs('other')).toMatchObject([{ keyId: null }]);
    });

    it('end by age', async () => {
      const { registry } = underTest;
      await registry.recordAdminAct(act);
      underTest.clock += 1000;
      await registry.recordAdminAct({ ...act, target: '/new' });
      const [newest] = await registry.listAdminActs(tenant);
      expect(await registry.forgetAdminActs(newest?.createdAt ?? 0)).toBe(1);
      expect(await registry.listAdminActs(tenant)).toMatchObject([{ target: '/new' }]);
    });
  });
}
