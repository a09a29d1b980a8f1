import { auditReport } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { completed, gatewayUnderTest } from './gateway-under-test.ts';

const report = {
  clean: false,
  collections: [
    { name: 'books', documents: 1, chunks: 3, stored_rows: 2, lexical_rows: 2, pending_purges: 0 },
  ],
  ...{ originals: 1, texts: 1, problems: [], problem_count: 0 },
};

describe('POST /api/audit', () => {
  it('asks the owner of the store, and answers with its report alone', async () => {
    const { post, queue, registry } = await gatewayUnderTest();
    await registry.ensureCollection({ tenant: 'default', name: 'books' });
    queue.script = async (job) => completed(job.id, report);
    const response = await post('/api/audit', { collection: 'books', repair: true });
    expect([response.status, await response.json()]).toEqual([200, auditReport.parse(report)]);
    const [job] = queue.submitted;
    expect(job).toMatchObject({ list: 'job:retriever_audit', lane: 'low' });
    expect(job?.id).toMatch(/^aud_/);
    expect(job?.envelope).toMatchObject({ tenant: 'default', collection: 'books', repair: true });
    expect((job?.deadlineAt ?? 0) - Date.now()).toBeGreaterThan(590_000);
  });

  it('refuses an unknown collection and an unknown field before anything is queued', async () => {
    const { post, queue } = await gatewayUnderTest();
    expect((await post('/api/audit', { collection: 'nowhere' })).status).toBe(404);
    expect((await post('/api/audit', { fix: true })).status).toBe(422);
    expect(queue.submitted).toEqual([]);
  });
});
