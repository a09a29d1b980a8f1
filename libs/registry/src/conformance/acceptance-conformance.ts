import { describe, expect, it } from 'vitest';
import { CollectionDeleting, QuotaExceeded } from '../registry-failures.ts';
import {
  collection,
  finished,
  newDocument,
  type RegistryUnderTest,
  start,
  tenant,
} from './fixture-conformance.ts';

// One piece: the ways in which one acceptance can end, told by both adapters alike.

const error = { code: 'internal', message: 'no' };

export function acceptanceConformance(underTest: RegistryUnderTest): void {
  describe('accepting', () => {
    it('makes document, version and job in one step, and the collection when it is missing', async () => {
      const accepted = await underTest.accept({
        collection: 'new',
        metadata: { user_id: 'u1' },
        job: {
          payload: { filename: 'a.md', chunk_size: 64 },
          webhookUrl: 'https://example.org/hook',
          traceparent: '00-1',
        },
      });
      expect(accepted).toEqual({
        outcome: 'accepted',
        documentId: expect.stringMatching(/^doc_[0-9A-Za-z]{22}$/) as unknown,
        version: 1,
        createdAt: start,
        jobId: 'job_1',
        isReleased: true,
      });
      const { documentId } = accepted;
      expect(await underTest.other.getDocument(tenant, documentId)).toMatchObject({
        ...{ collection: 'new', state: 'pending', version: 0, title: 'A', filename: 'a.md', bytes: 100 },
        metadata: { user_id: 'u1' },
      });
      expect(await underTest.other.versionState(tenant, documentId, 1)).toBe('building');
      expect(await underTest.other.getJob(tenant, 'job_1')).toEqual({
        ...{ id: 'job_1', tenant, type: 'document_upload', status: 'queued', stage: null, progress: 0 },
        ...{ message: 'Queued', etaMs: null, payload: { filename: 'a.md', chunk_size: 64 }, result: null },
        ...{
          error: null,
          errorCode: null,
          retryCount: 0,
          maxRetries: 3,
          deliveries: 0,
          cancelRequested: false,
          turn: 'released',
        },
        ...{
          collection: 'new',
          documentId,
          version: 1,
          webhookUrl: 'https://example.org/hook',
          traceparent: '00-1',
        },
        ...{ createdAt: start, updatedAt: start, startedAt: null, completedAt: null },
      });
      expect((await underTest.other.getCollection(tenant, 'new'))?.name).toBe('new');
    });

    it('never accepts more than the bounds it is given, however many ask at once', async () => {
      const { registry, other } = underTest;
      await registry.createKey({
        ...{ id: 'k1', tenant, name: null, scopes: ['ingest'], collections: null, limits: null },
        ...{ secretHash: 'hash', expiresAt: null },
      });
      const offer = (number: number, change: object = {}) =>
        (number % 2 === 0 ? registry : other)
          .acceptDocuments(
            [newDocument({ externalId: `d${number}`, jobId: `job_${number}`, ...change })],
            undefined,
            {
              documents: 5,
              bytes: 1000,
            },
          )
          .then(
            () => 'in',
            (refusal: unknown) => (refusal instanceof QuotaExceeded ? refusal.what : refusal),
          );
      const said = await Promise.all(Array.from({ length: 12 }, (_, number) => offer(number)));
      expect(said.filter((one) => one === 'in')).toHaveLength(5);
      expect(said.filter((one) => one === 'documents')).toHaveLength(7);
      expect((await registry.listDocuments(tenant)).length).toBe(5);
      const present = said.indexOf('in');
      // What is there is nothing more; in its place something too large is, and leaves no trace.
      expect(await offer(present, { jobId: 'job_again' })).toBe('in');
      expect(await offer(present, { jobId: 'job_large', contentHash: 'large', bytes: 601 })).toBe('bytes');
      expect(await registry.getJob(tenant, 'job_large')).toBeNull();
      expect(await offer(present, { jobId: 'job_fits', contentHash: 'fits', bytes: 400 })).toBe('in');
    });

    it('the same job again, as long as it is open, is answered as the first time', async () => {
      const first = await underTest.accept();
      const again = await underTest.other.acceptDocuments([newDocument({ contentHash: 'anything' })]);
      expect(again).toEqual({ outcome: 'accepted', documents: [first] });
      await underTest.registry.claimJob('job_1');
      expect(await underTest.accept()).toEqual(first);
    });

    it('the same bytes with the same settings are nothing to do once visible, or while they are being built', async () => {
      const first = await underTest.begin();
      const same = { documentId: first.documentId, version: 1, createdAt: start };
      expect(await underTest.accept({ jobId: 'job_2' })).toEqual({
        ...same,
        outcome: 'unchanged',
        jobId: 'job_1',
      });
      await underTest.registry.publishVersion({ ...first, ...finished });
      expect(await underTest.accept({ jobId: 'job_2' })).toEqual({
        ...same,
        outcome: 'unchanged',
        jobId: null,
      });
      expect(await underTest.registry.getJob(tenant, 'job_2')).toBeNull();
      const changed = await underTest.accept({ jobId: 'job_3', settingsHash: 'other' });
      expect(changed).toMatchObject({ outcome: 'accepted', version: 2, jobId: 'job_3' });
    });

    it('old content comes back as a new version while other content is on its way', async () => {
      await underTest.publish();
      await underTest.begin({ jobId: 'job_2', contentHash: 'content-2' });
      expect(await underTest.accept({ jobId: 'job_3' })).toMatchObject({ outcome: 'accepted', version: 3 });
    });

    it('content whose building was given up is built again', async () => {
      const first = await underTest.begin();
      await underTest.registry.endJob('job_1', 'failed', error);
      expect(await underTest.accept({ jobId: 'job_2' })).toMatchObject({ outcome: 'accepted', version: 2 });
      expect(await underTest.registry.getDocument(tenant, first.documentId)).toMatchObject({
        state: 'pending',
      });
    });

    it('A, B, A under ids made of the bytes ends with A: an ended job begins anew', async () => {
      const first = await underTest.publish({ jobId: 'job_a' });
      await underTest.publish({ jobId: 'job_b', contentHash: 'content-2' });
      underTest.clock += 9;
      const again = await underTest.accept({ jobId: 'job_a', job: { payload: { again: true } } });
      expect(again).toEqual({
        ...{ outcome: 'accepted', jobId: 'job_a', documentId: first.documentId },
        version: 3,
        createdAt: start,
        isReleased: true,
      });
      expect(await underTest.other.getJob(tenant, 'job_a')).toMatchObject({
        ...{ status: 'queued', progress: 0, version: 3, result: null, startedAt: null, completedAt: null },
        payload: { again: true },
      });
      expect((await underTest.other.claimJob('job_a')).outcome).toBe('run');
      expect(await underTest.registry.publishVersion({ ...first, version: 3, ...finished })).toBe(
        'published',
      );
      expect(await underTest.other.getDocument(tenant, first.documentId)).toMatchObject({
        version: 3,
        contentHash: 'content-1',
      });
      expect(await underTest.accept({ jobId: 'job_a' })).toMatchObject({ outcome: 'unchanged', version: 3 });
    });

    it('skip and error leave a document that lives as it is; one whose attempts all failed is no obstacle', async () => {
      const first = await underTest.begin();
      const asked = { jobId: 'job_2', contentHash: 'content-2' };
      const exists = {
        documentId: first.documentId,
        version: 1,
        createdAt: start,
        outcome: 'exists',
        jobId: null,
      };
      expect(await underTest.accept({ ...asked, ifExists: 'skip' })).toEqual(exists);
      expect(await underTest.accept({ ...asked, ifExists: 'error' })).toEqual(exists);
      await underTest.registry.endJob('job_1', 'failed', error);
      expect(await underTest.accept({ ...asked, ifExists: 'skip' })).toMatchObject({
        outcome: 'accepted',
        version: 2,
      });
    });

    it('takes several documents in one step or none of them', async () => {
      const answer = await underTest.registry.acceptDocuments([
        newDocument({ externalId: 'a', jobId: 'job_a' }),
        newDocument({ externalId: 'b', jobId: 'job_b', collection: 'second' }),
        newDocument({ externalId: 'a', jobId: 'job_c' }),
      ]);
      if (answer.outcome !== 'accepted') throw new Error(answer.outcome);
      expect(answer.documents.map((one) => one.outcome)).toEqual(['accepted', 'accepted', 'unchanged']);
      await underTest.registry.deleteCollection(tenant, 'second');
      const refused = underTest.registry.acceptDocuments([
        newDocument({ externalId: 'c', jobId: 'job_d' }),
        newDocument({ externalId: 'd', jobId: 'job_e', collection: 'second' }),
      ]);
      await expect(refused).rejects.toThrow(CollectionDeleting);
      expect(await underTest.other.findDocument(tenant, collection, 'c')).toBeNull();
      expect(await underTest.other.getJob(tenant, 'job_d')).toBeNull();
    });

    it('text that no database keeps is kept as what can be kept, and found again by itself', async () => {
      const externalId = 'a\u0000b\ud800c';
      const begun = await underTest.begin({
        externalId,
        title: 'T\u0000',
        metadata: { 'k\u0000': 'v\u0000\ud800' },
      });
      const found = await underTest.other.findDocument(tenant, collection, externalId);
      expect(found).toMatchObject({
        documentId: begun.documentId,
        title: 'T\ufffd',
        metadata: { 'k\u0000': 'v\u0000\ud800' },
      });
      expect(await underTest.accept({ externalId, title: 'T\u0000', jobId: 'job_2' })).toMatchObject({
        outcome: 'unchanged',
        documentId: begun.documentId,
      });
    });

    it('one acceptance delivered to many at once is one version', async () => {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          (index % 2 === 0 ? underTest.registry : underTest.other).acceptDocuments([newDocument()]),
        ),
      );
      const accepted = answers.flatMap((answer) => (answer.outcome === 'accepted' ? answer.documents : []));
      expect(accepted).toEqual(Array.from({ length: 12 }, () => accepted[0]));
      expect(accepted[0]).toMatchObject({ outcome: 'accepted', version: 1, jobId: 'job_1' });
    });

    it('many at once on two connections give every version a number of its own', async () => {
      const asked = Array.from({ length: 24 }, (_, index) =>
        newDocument({ jobId: `job_${index}`, contentHash: `content-${index}`, collection: 'contended' }),
      );
      const answers = await Promise.all(
        asked.map((one, index) =>
          (index % 2 === 0 ? underTest.registry : underTest.other).acceptDocuments([one]),
        ),
      );
      const versions = answers.flatMap((answer) => (answer.outcome === 'accepted' ? answer.documents : []));
      expect(new Set(versions.map((one) => one.documentId)).size).toBe(1);
      expect(versions.map((one) => one.version).sort((a, b) => a - b)).toEqual(
        asked.map((_, index) => index + 1),
      );
    });
  });

  describe('idempotency keys', () => {
    const key = { key: 'key-1', requestHash: 'request-1' };

    it('repeat the answer of the same request, refuse another, and end after a day', async () => {
      const { registry, other } = underTest;
      const first = await registry.acceptDocuments([newDocument()], key);
      const again = await other.acceptDocuments(
        [newDocument({ jobId: 'job_2', contentHash: 'content-2' })],
        key,
      );
      expect(again).toEqual({ ...first, outcome: 'repeated' });
      expect(await registry.getJob(tenant, 'job_2')).toBeNull();
      const conflict = await other.acceptDocuments([newDocument({ jobId: 'job_2' })], {
        ...key,
        requestHash: 'other',
      });
      expect(conflict).toEqual({ outcome: 'conflict' });
      underTest.clock += 24 * 3_600_000 + 1;
      const later = await other.acceptDocuments(
        [newDocument({ jobId: 'job_2', contentHash: 'content-2' })],
        key,
      );
      expect(later.outcome).toBe('accepted');
    });

    it('of two at once, one is accepted and one repeats it', async () => {
      const answers = await Promise.all([
        underTest.registry.acceptDocuments([newDocument()], key),
        underTest.other.acceptDocuments([newDocument({ jobId: 'job_2' })], key),
      ]);
      expect(answers.map((answer) => answer.outcome).sort()).toEqual(['accepted', 'repeated']);
      const [first, second] = answers;
      expect(first).toMatchObject({ documents: second?.outcome === 'conflict' ? [] : second?.documents });
    });

    it('serve other routes too, per tenant, and can be given back', async () => {
      const { registry, other } = underTest;
      const claim = { ...key, tenant, response: { id: 'qry_1' } };
      expect(await registry.claimIdempotencyKey(claim)).toEqual({ outcome: 'new' });
      expect(await other.claimIdempotencyKey({ ...claim, response: { id: 'qry_2' } })).toEqual({
        outcome: 'repeated',
        response: { id: 'qry_1' },
      });
      expect(await other.claimIdempotencyKey({ ...claim, requestHash: 'other' })).toEqual({
        outcome: 'conflict',
      });
      expect(await other.claimIdempotencyKey({ ...claim, tenant: 'someone-else' })).toEqual({
        outcome: 'new',
      });
      await registry.releaseIdempotencyKey(tenant, key.key);
      expect(await other.claimIdempotencyKey({ ...claim, requestHash: 'other' })).toEqual({ outcome: 'new' });
    });
  });

  describe('taking an acceptance back', () => {
    it('leaves nothing of what came with it, and says which contents nobody owns', async () => {
      const { registry, other } = underTest;
      const key = { key: 'key-1', requestHash: 'request-1' };
      await underTest.publish({ externalId: 'kept', contentHash: 'shared', jobId: 'job_kept' });
      const collections = await registry.listCollections(tenant);
      const documents = await registry.listDocuments(tenant);
      await registry.acceptDocuments(
        [
          newDocument({ externalId: 'x', collection: 'new', jobId: 'job_x', contentHash: 'alone' }),
          newDocument({ externalId: 'y', collection: 'new', jobId: 'job_y', contentHash: 'shared' }),
          newDocument({ externalId: 'kept', jobId: 'job_z', contentHash: 'replacing' }),
          newDocument({ externalId: 'kept', jobId: 'job_zz', contentHash: 'replacing again' }),
        ],
        key,
      );
      const gone = await other.undoAcceptance(tenant, ['job_x', 'job_y', 'job_z', 'job_zz'], key.key);
      expect(gone.originals.sort()).toEqual(['alone', 'replacing', 'replacing again']);
      expect(gone.texts).toEqual([]);
      expect(await registry.listCollections(tenant)).toEqual(collections);
      expect(await registry.listDocuments(tenant)).toEqual(documents);
      expect(await registry.getJob(tenant, 'job_x')).toBeNull();
      expect(await registry.jobEvents(tenant, 'job_x', 0)).toEqual([]);
      expect(await registry.staleVersions()).toEqual([]);
      const again = await registry.acceptDocuments(
        [newDocument({ externalId: 'kept', jobId: 'job_z', contentHash: 'replacing' })],
        { ...key, requestHash: 'other' },
      );
      expect(again).toMatchObject({ outcome: 'accepted', documents: [{ version: 2 }] });
    });

    it('stays away from jobs that have begun, and from those of another tenant', async () => {
      const { registry } = underTest;
      const nothing = { originals: [], texts: [] };
      const begun = await underTest.begin();
      expect(await registry.undoAcceptance('someone-else', ['job_1'])).toEqual(nothing);
      await registry.claimJob('job_1');
      expect(await registry.undoAcceptance(tenant, ['job_1', 'job_unknown'])).toEqual(nothing);
      await registry.releaseJob('job_1');
      expect(await registry.undoAcceptance(tenant, ['job_1'])).toEqual(nothing);
      expect(await registry.versionState(tenant, begun.documentId, 1)).toBe('building');
    });
  });
}
