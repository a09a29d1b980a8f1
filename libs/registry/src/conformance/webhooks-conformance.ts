import { describe, expect, it } from 'vitest';
import type { DueDelivery } from '../webhooks.ts';
import { collection, finished, type RegistryUnderTest, start, tenant } from './fixture-conformance.ts';

const error = { code: 'internal', message: 'no' };
const hook = { tenant, url: 'https://example.org/a', secret: 'whsec_a', description: null };
const soon = { leaseMs: 1000, limit: 10 };

export function webhooksConformance(underTest: RegistryUnderTest): void {
  const due = () => underTest.registry.claimDeliveries(soon);
  const told = (deliveries: readonly DueDelivery[]) =>
    deliveries
      .map(({ type, url, body }) => ({ type, url, data: (JSON.parse(body) as { data: unknown }).data }))
      .sort((one, other) => (`${one.type}${one.url}` < `${other.type}${other.url}` ? -1 : 1));

  describe('webhooks', () => {
    it('are made, listed and removed, each tenant its own', async () => {
      const { registry, other } = underTest;
      const made = await registry.createWebhook({ ...hook, events: ['document.ready'], description: 'mine' });
      expect(made).toEqual({
        ...{ ...hook, events: ['document.ready'], description: 'mine', createdAt: start },
        id: expect.stringMatching(/^whk_/) as unknown,
      });
      expect(await other.listWebhooks(tenant)).toEqual([made]);
      expect(await other.getWebhook(tenant, made.id)).toEqual(made);
      expect(await other.getWebhook('someone-else', made.id)).toBeNull();
      expect(await other.deleteWebhook('someone-else', made.id)).toBe(false);
      expect(await other.deleteWebhook(tenant, made.id)).toBe(true);
      expect(await registry.listWebhooks(tenant)).toEqual([]);
    });

    it('hear of what they asked for, and the address of a job of all that becomes of it', async () => {
      const { registry } = underTest;
      const webhookUrl = 'https://example.org/job';
      await registry.createWebhook({ ...hook, events: ['document.ready', 'document.deleted'] });
      await registry.createWebhook({ ...hook, url: 'https://example.org/b', events: ['document.failed'] });
      await registry.createWebhook({ ...hook, tenant: 'someone-else', events: ['document.ready'] });
      const version = await underTest.publish({ job: { webhookUrl } });
      const about = { document_id: version.documentId, external_id: 'a.md', collection, title: 'A' };
      const ready = { ...about, version: 1, job_id: 'job_1', chunk_count: 3 };
      expect(told(await due())).toEqual([
        { type: 'document.ready', url: hook.url, data: ready },
        { type: 'document.ready', url: webhookUrl, data: ready },
      ]);
      await underTest.begin({ jobId: 'job_2', contentHash: 'content-2' });
      await registry.endJob('job_2', 'failed', error);
      const failed = { ...about, version: 2, job_id: 'job_2', error: 'no', error_code: 'internal' };
      expect(told(await due())).toEqual([
        { type: 'document.failed', url: 'https://example.org/b', data: failed },
      ]);
      await underTest.begin({ jobId: 'job_3', contentHash: 'content-3', job: { webhookUrl } });
      await registry.deleteDocument(tenant, version.documentId);
      const deleted = { ...about, version: 1, job_id: 'job_1' };
      expect(told(await due())).toEqual([
        { type: 'document.deleted', url: hook.url, data: deleted },
        { type: 'document.deleted', url: webhookUrl, data: deleted },
      ]);
    });

    it('an overtaken job tells only its own address, of the version that is visible', async () => {
      const { registry } = underTest;
      await registry.createWebhook({ ...hook, events: ['document.ready'] });
      const older = await underTest.begin({ job: { webhookUrl: 'https://example.org/job' } });
      await underTest.publish({ jobId: 'job_2', contentHash: 'content-2' });
      expect(told(await due())).toMatchObject([{ url: hook.url }]);
      await registry.publishVersion({ ...older, ...finished });
      expect(told(await due())).toMatchObject([
        { type: 'document.ready', url: 'https://example.org/job', data: { version: 2, job_id: 'job_1' } },
      ]);
    });

    it('a deleted collection tells of each document that could be found', async () => {
      const { registry } = underTest;
      await registry.createWebhook({ ...hook, events: ['document.deleted'] });
      const version = await underTest.publish();
      const webhookUrl = 'https://example.org/job';
      await underTest.begin({ externalId: 'unfinished', jobId: 'job_2', job: { webhookUrl } });
      await underTest.begin({ externalId: 'silent', jobId: 'job_3' });
      await registry.deleteCollection(tenant, collection);
      expect(told(await due())).toMatchObject([
        { url: hook.url, data: { document_id: version.documentId, collection, version: 1, job_id: 'job_1' } },
        { url: webhookUrl, data: { external_id: 'unfinished', version: 0, job_id: 'job_2' } },
      ]);
    });

    it('a test goes to one webhook, the end of a question to all that want it and to its address', async () => {
      const { registry } = underTest;
      const first = await registry.createWebhook({ ...hook, events: ['query.completed'] });
      await registry.createWebhook({ ...hook, url: 'https://example.org/b', events: ['query.completed'] });
      const test = await registry.recordEvent({
        tenant,
        type: 'webhook.test',
        data: { n: 1 },
        webhookId: first.id,
      });
      expect(test.deliveryIds).toHaveLength(1);
      expect(await due()).toEqual([
        {
          ...{ id: test.deliveryIds[0], tenant, url: hook.url, secret: 'whsec_a', eventId: test.eventId },
          ...{ type: 'webhook.test', attempt: 1 },
          body: JSON.stringify({
            type: 'webhook.test',
            timestamp: new Date(start).toISOString(),
            data: { n: 1 },
          }),
        },
      ]);
      const url = 'https://example.org/job';
      const end = await registry.recordEvent({ tenant, type: 'query.completed', data: {}, url });
      expect(end.deliveryIds).toHaveLength(3);
      expect((await due()).find((one) => one.url === url)?.secret).toBeNull();
      const unheard = await registry.recordEvent({ tenant, type: 'query.failed', data: {} });
      expect(unheard.deliveryIds).toEqual([]);
    });
  });

  describe('deliveries', () => {
    const announce = async () => {
      const made = await underTest.registry.createWebhook({ ...hook, events: ['query.completed'] });
      const event = {
        tenant,
        type: 'query.completed',
        data: { text: 'ä\u0000' },
        webhookId: made.id,
      } as const;
      const { deliveryIds } = await underTest.registry.recordEvent(event);
      return { webhookId: made.id, id: deliveryIds[0] ?? '' };
    };

    it('are counted until they end', async () => {
      expect(await underTest.registry.countPendingDeliveries()).toBe(0);
      const { id } = await announce();
      expect(await underTest.other.countPendingDeliveries()).toBe(1);
      await underTest.registry.settleDelivery(id, { state: 'delivered', statusCode: 200 });
      expect(await underTest.other.countPendingDeliveries()).toBe(0);
    });

    it('are claimed by one deliverer at a time, and by another when that one dies', async () => {
      await announce();
      const both = await Promise.all([
        underTest.registry.claimDeliveries(soon),
        underTest.other.claimDeliveries(soon),
      ]);
      expect(both.flat()).toHaveLength(1);
      underTest.clock += 999;
      expect(await due()).toEqual([]);
      underTest.clock += 1;
      expect(await due()).toEqual(both.flat().map((one) => ({ ...one, attempt: 2 })));
    });

    it('wait as long as was said, end, and can be sent once more with the same bytes', async () => {
      const { registry, other } = underTest;
      const { webhookId, id } = await announce();
      const [first] = await due();
      const nextAttemptAt = start + 5000;
      await registry.settleDelivery(id, {
        state: 'pending',
        statusCode: 500,
        error: 'HTTP 500',
        nextAttemptAt,
      });
      expect(await other.listDeliveries(tenant, webhookId)).toMatchObject([
        {
          state: 'pending',
          attempts: 1,
          statusCode: 500,
          error: 'HTTP 500',
          nextAttemptAt,
          deliveredAt: null,
        },
      ]);
      underTest.clock = nextAttemptAt - 1;
      expect(await due()).toEqual([]);
      underTest.clock = nextAttemptAt;
      expect(await due()).toMatchObject([{ attempt: 2, body: first?.body }]);
      await registry.settleDelivery(id, { state: 'failed', statusCode: null, error: 'no answer' });
      const another = await registry.createWebhook({ ...hook, events: ['query.completed'] });
      expect(await other.replayDelivery('someone-else', webhookId, id)).toBe(false);
      expect(await other.replayDelivery(tenant, another.id, id)).toBe(false);
      expect(await other.replayDelivery(tenant, webhookId, id)).toBe(true);
      expect(await due()).toMatchObject([{ attempt: 3, body: first?.body, eventId: first?.eventId }]);
      await registry.settleDelivery(id, { state: 'delivered', statusCode: 204 });
      expect(await other.listDeliveries(tenant, webhookId)).toEqual([
        {
          ...{ id, webhookId, url: hook.url, eventId: first?.eventId, eventType: 'query.completed' },
          ...{ state: 'delivered', attempts: 3, statusCode: 204, error: null, nextAttemptAt: null },
          ...{ createdAt: start, deliveredAt: nextAttemptAt },
        },
      ]);
      expect(await registry.forgetOldDeliveries(start)).toBe(0);
      expect(await registry.forgetOldDeliveries(start + 1)).toBe(1);
      expect(await other.listDeliveries(tenant, webhookId)).toEqual([]);
    });

    it('are listed newest first, in pages, per tenant; pending ones go with their webhook', async () => {
      const { registry } = underTest;
      const { webhookId, id } = await announce();
      underTest.clock += 1;
      const event = { tenant, type: 'webhook.test', data: {}, webhookId } as const;
      const newer = (await registry.recordEvent(event)).deliveryIds[0] ?? '';
      const list = async (page = {}) =>
        (await underTest.other.listDeliveries(tenant, webhookId, page)).map((delivery) => delivery.id);
      expect(await list()).toEqual([newer, id]);
      expect(await list({ limit: 1 })).toEqual([newer]);
      expect(await list({ after: { createdAt: start + 1, id: newer } })).toEqual([id]);
      expect(await registry.listDeliveries('someone-else', webhookId)).toEqual([]);
      await due();
      await registry.settleDelivery(id, { state: 'delivered', statusCode: 200 });
      await registry.deleteWebhook(tenant, webhookId);
      expect(await list()).toEqual([id]);
      expect(await registry.replayDelivery(tenant, webhookId, id)).toBe(false);
    });
  });

  describe('questions and keys', () => {
    it('remembers whom to tell of the end of a question', async () => {
      const { registry, other } = underTest;
      await registry.watchQuery({ tenant, jobId: 'qry_1', url: 'https://example.org/1' });
      underTest.clock += 1;
      await registry.watchQuery({ tenant, jobId: 'qry_2', url: 'https://example.org/2' });
      await registry.watchQuery({ tenant, jobId: 'qry_1', url: 'https://example.org/other' });
      expect(await other.watchedQueries(1)).toEqual([
        { tenant, jobId: 'qry_1', url: 'https://example.org/1', since: start },
      ]);
      await other.unwatchQuery('qry_1');
      expect(await registry.watchedQueries(10)).toMatchObject([{ jobId: 'qry_2' }]);
    });

    it('tells the end of a question once, to its address and to the webhooks that want it', async () => {
      const { registry, other } = underTest;
      await registry.createWebhook({
        ...{ tenant, url: 'https://example.org/all', secret: 'whsec_x', description: null },
        events: ['query.completed', 'query.failed'],
      });
      await registry.watchQuery({ tenant, jobId: 'qry_1', url: 'https://example.org/1' });
      await registry.watchQuery({ tenant, jobId: 'qry_2', url: null });
      expect(await registry.watchedQueries(10)).toMatchObject([
        { url: 'https://example.org/1' },
        { url: null },
      ]);
      const end = { type: 'query.completed', data: { job_id: 'qry_1' } } as const;
      const told = await Promise.all([
        registry.endWatchedQuery('qry_1', end),
        other.endWatchedQuery('qry_1', end),
      ]);
      expect(told.filter(Boolean)).toHaveLength(1);
      expect(await other.endWatchedQuery('qry_2', { type: 'query.failed', data: { job_id: 'qry_2' } })).toBe(
        true,
      );
      expect(await registry.watchedQueries(10)).toEqual([]);
      const due = await registry.claimDeliveries({ leaseMs: 1000, limit: 10 });
      expect(due.map(({ type, url, secret }) => [type, url, secret]).sort()).toEqual([
        ['query.completed', 'https://example.org/1', null],
        ['query.completed', 'https://example.org/all', 'whsec_x'],
        ['query.failed', 'https://example.org/all', 'whsec_x'],
      ]);
    });

    it('claims nothing for receivers that are busy', async () => {
      const { registry } = underTest;
      for (const url of ['https://busy.example/a', 'https://busy.example/b', 'https://free.example:8443/c']) {
        await registry.recordEvent({ tenant, type: 'webhook.test', data: {}, url });
      }
      const exceptOrigins = ['https://busy.example', 'https://free.example:9'];
      const claim = (options = {}) => registry.claimDeliveries({ leaseMs: 1000, limit: 10, ...options });
      expect((await claim({ exceptOrigins })).map(({ url }) => url)).toEqual(['https://free.example:8443/c']);
      expect(await claim({ exceptOrigins })).toEqual([]);
      expect(await claim()).toHaveLength(2);
    });

    it('has one signing key, also when two ask for it first', async () => {
      const [one, two] = await Promise.all([underTest.registry.signingKey(), underTest.other.signingKey()]);
      expect(one).toMatch(/^[0-9a-f]{64}$/);
      expect(two).toBe(one);
      expect(await (await underTest.open()).signingKey()).toBe(one);
    });
  });
}
