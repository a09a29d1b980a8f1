import { describe, expect, it } from 'vitest';
import type { NewKey } from '../api-keys.ts';
import { type RegistryUnderTest, start, tenant } from './fixture-conformance.ts';

const hour = 3_600_000;
const key: NewKey = {
  id: 'k1',
  tenant,
  name: 'of the shop',
  scopes: ['query', 'ingest'],
  collections: ['handbook'],
  limits: { requests_per_minute: 60 },
  secretHash: 'hash-1',
  expiresAt: null,
};

export function keysConformance(underTest: RegistryUnderTest): void {
  describe('keys', () => {
    it('are made, found by their id alone, and listed to their tenant, newest first', async () => {
      const { registry, other } = underTest;
      expect(await other.hasKeys()).toBe(false);
      const made = await registry.createKey(key);
      const { secretHash: _secretHash, ...shown } = key;
      expect(made).toEqual({
        ...shown,
        ...{ previousUntil: null, createdAt: start, rotatedAt: null, revokedAt: null, lastUsedAt: null },
      });
      expect(await other.findKey('k1')).toEqual({ ...made, secretHash: 'hash-1', previousHash: null });
      expect(await other.findKey('k2')).toBeNull();
      expect(await other.hasKeys()).toBe(true);
      underTest.clock += 1;
      const theirs = { ...key, id: 'k2', tenant: 'someone-else', collections: null, limits: null };
      await registry.createKey(theirs);
      await registry.createKey({ ...key, id: 'k3' });
      const ids = async (of: string | null) => (await other.listKeys(of)).map(({ id }) => id);
      expect(await ids(tenant)).toEqual(['k3', 'k1']);
      expect(await ids('someone-else')).toEqual(['k2']);
      expect(await ids(null)).toEqual(['k3', 'k2', 'k1']);
      expect(await other.findKey('k2')).toMatchObject({ collections: null, limits: null });
      await expect(registry.createKey(key)).rejects.toThrow();
    });

    it('are rotated by their tenant, the secret before holds for the overlap, one before that no more', async () => {
      const { registry, other } = underTest;
      await registry.createKey(key);
      const change = { secretHash: 'hash-2', overlapMs: hour };
      expect(await registry.rotateKey('someone-else', 'k1', change)).toBeNull();
      expect(await registry.rotateKey(tenant, 'unknown', change)).toBeNull();
      expect(await registry.rotateKey(tenant, 'k1', change)).toMatchObject({
        ...{ rotatedAt: start, previousUntil: start + hour },
      });
      expect(await other.findKey('k1')).toMatchObject({ secretHash: 'hash-2', previousHash: 'hash-1' });
      await registry.rotateKey(tenant, 'k1', { secretHash: 'hash-3', overlapMs: 0 });
      expect(await other.findKey('k1')).toMatchObject({
        ...{ secretHash: 'hash-3', previousHash: 'hash-2', previousUntil: start },
      });
    });

    it('are revoked by their tenant, once, and stay in the list', async () => {
      const { registry, other } = underTest;
      await registry.createKey(key);
      expect(await registry.revokeKey('someone-else', 'k1')).toBeNull();
      expect(await registry.revokeKey(tenant, 'k1')).toMatchObject({ id: 'k1', revokedAt: start });
      underTest.clock += 1;
      expect(await registry.revokeKey(tenant, 'k1')).toBeNull();
      expect(await registry.rotateKey(tenant, 'k1', { secretHash: 'hash-2', overlapMs: 0 })).toBeNull();
      expect(await other.findKey('k1')).toMatchObject({ revokedAt: start, secretHash: 'hash-1' });
      expect(await other.listKeys(tenant)).toHaveLength(1);
      expect(await other.hasKeys()).toBe(true);
    });

    it('are not rotated once they have expired', async () => {
      const { registry } = underTest;
      await registry.createKey({ ...key, expiresAt: start + hour });
      const change = { secretHash: 'hash-2', overlapMs: 0 };
      expect(await registry.rotateKey(tenant, 'k1', change)).toMatchObject({ expiresAt: start + hour });
      underTest.clock += hour;
      expect(await registry.rotateKey(tenant, 'k1', change)).toBeNull();
    });

    it('know when they were last used, which never goes back', async () => {
      const { registry, other } = underTest;
      await registry.createKey(key);
      await registry.createKey({ ...key, id: 'k2' });
      const used = new Map([
        ['k2', 20],
        ['k1', 10],
        ['gone', 10],
      ]);
      await registry.noteKeysUsed(used);
      await other.noteKeysUsed(new Map([['k2', 15]]));
      expect(await other.findKey('k1')).toMatchObject({ lastUsedAt: 10 });
      expect(await registry.findKey('k2')).toMatchObject({ lastUsedAt: 20 });
    });

    it('move the change counter whenever one comes, changes or goes', async () => {
      const { registry, other } = underTest;
      const seen = [await other.changeCounter()];
      await registry.createKey(key);
      seen.push(await other.changeCounter());
      await registry.rotateKey(tenant, 'k1', { secretHash: 'hash-2', overlapMs: 0 });
      seen.push(await other.changeCounter());
      await registry.revokeKey(tenant, 'k1');
      seen.push(await other.changeCounter());
      expect(new Set(seen).size).toBe(4);
    });
  });

  describe('what callers may see', () => {
    it('says whose a job is by its id alone', async () => {
      const { registry, other } = underTest;
      await underTest.begin();
      await underTest.begin({ tenant: 'someone-else', jobId: 'job_theirs' }).catch(() => undefined);
      expect(await other.tenantOfJob('job_1')).toBe(tenant);
      expect(await registry.tenantOfJob('job_theirs')).toBe('someone-else');
      expect(await registry.tenantOfJob('nobody')).toBeNull();
    });

    it('lists documents and jobs of some collections, in pages', async () => {
      const { registry } = underTest;
      for (const collection of ['a', 'b', 'c', 'a']) {
        underTest.clock += 1;
        const jobId = `job_${underTest.clock}`;
        await underTest.begin({ collection, jobId, externalId: jobId });
      }
      const some = { collections: ['a', 'c'], limit: 2 };
      const documents = await registry.listDocuments(tenant, some);
      expect(documents.map(({ collection }) => collection)).toEqual(['a', 'c']);
      const last = documents[1];
      const after = { createdAt: last?.createdAt ?? 0, id: last?.documentId ?? '' };
      expect(await registry.listDocuments(tenant, { ...some, after })).toMatchObject([{ collection: 'a' }]);
      const jobs = await registry.listJobs(tenant, { collections: ['b'] });
      expect(jobs.map(({ collection }) => collection)).toEqual(['b']);
      expect(await registry.listDocuments(tenant, { collections: [] })).toEqual([]);
      expect(await registry.listDocuments(tenant, { ...some, collection: 'b' })).toEqual([]);
    });
  });
}
