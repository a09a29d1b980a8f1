import { findPostgres, type PrivatePostgres, postgresMissing, startPrivatePostgres } from '@vortex/testkit';
import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ingest, jobEnd, prose, search, upload } from './documents.ts';
import { eventually, getJson, postJson } from './http.ts';
import { type Stack, startStack } from './stack.ts';

const programs = findPostgres();

/** The life of documents once more, with the registry in PostgreSQL instead of the embedded database. */
describe('with the registry in PostgreSQL', () => {
  if (programs === null) {
    it('documents', ({ skip }) => skip(postgresMissing));
    return;
  }
  let server: PrivatePostgres;
  let stack: Stack;

  beforeAll(async () => {
    server = await startPrivatePostgres();
    stack = await startStack({ args: ['--no-demo'], env: { DATABASE_URL: server.url } });
  });
  afterAll(async () => {
    await stack?.stop();
    await server?.stop();
  });

  async function expectCleanAudit(): Promise<void> {
    await eventually(
      async () => {
        const { code, output } = await stack.vortex('audit', '--json');
        const pending = JSON.parse(output).collections.map(
          (one: { pending_purges: number }) => one.pending_purges,
        );
        return code === 0 && Math.max(0, ...pending) === 0;
      },
      30_000,
      'the audit is clean',
    );
  }

  async function isEmbedding(jobId: string): Promise<void> {
    await eventually(
      async () => {
        const job = (await getJson(`${stack.url}/api/jobs/${jobId}`)).body;
        return job.stage === 'embed' && job.progress > 20;
      },
      60_000,
      'embedding has begun',
    );
  }

  it('an upload tells its progress as events, is found and cited', async () => {
    const { status, body } = await upload(stack.url, {
      name: 'osprey.md',
      content: `# Warranty\n\nThe warranty of the Osprey drone lasts 31 months from delivery.\n\n${prose('osprey', 60)}`,
      fields: { collection: 'first', chunk_size: 64 },
    });
    expect(status).toBe(202);
    const events = await jobEvents(stack.url, body.job_id);
    expect(events.at(-1)).toMatchObject({ status: 'completed', progress: 100 });
    const progress = events.map((event) => event.progress);
    expect(progress).toEqual([...progress].sort((one, other) => one - other));
    // Told while it happened: a watch that saw only beginning and end would have nothing of this.
    expect(
      events.filter(({ message }) => /Embedding \d+ of \d+ chunks/.test(message ?? '')).length,
    ).toBeGreaterThan(1);

    const question = 'How long does the warranty of the Osprey drone last?';
    const [hit] = await search(stack.url, question, { collection: 'first' });
    expect(hit.document_id).toBe(body.document_id);
    const answer = await postJson(`${stack.url}/query`, { query: question, collection: 'first' });
    expect(answer.body.answer).toContain('31 months');
    expect(answer.body.citations[0].document_id).toBe(body.document_id);
  });

  it('changed bytes replace a document, and a deleted one is found no more', async () => {
    const of = (content: string) => ({ name: 'shelf.txt', content, fields: { collection: 'second' } });
    const { documentId } = await ingest(stack.url, of('The marmalade jar stands on the upper shelf.'));
    const same = await upload(stack.url, of('The marmalade jar stands on the upper shelf.'));
    expect([same.status, same.body.deduplicated]).toEqual([200, true]);
    await ingest(stack.url, of('The marmalade jar stands in the cellar.'));
    expect((await getJson(`${stack.url}/api/documents/${documentId}`)).body.version).toBe(2);
    const hits = await search(stack.url, 'marmalade jar', { collection: 'second' });
    expect(hits.map(({ text }) => text)).toEqual(['The marmalade jar stands in the cellar.']);
    await expectCleanAudit();

    const reply = await fetch(`${stack.url}/api/documents/${documentId}`, { method: 'DELETE' });
    expect(reply.status).toBe(200);
    expect(await search(stack.url, 'marmalade jar', { collection: 'second' })).toEqual([]);
    expect((await getJson(`${stack.url}/api/documents/${documentId}`)).status).toBe(404);
  });

  it('a job that is cancelled while it is embedded leaves nothing', async () => {
    const { body } = await upload(stack.url, {
      name: 'cancel.txt',
      content: prose('cancel', 200),
      fields: { collection: 'cancelled', chunk_size: 64 },
    });
    await isEmbedding(body.job_id);
    const cancelled = await postJson(`${stack.url}/api/jobs/${body.job_id}/cancel`, {});
    expect(cancelled.status).toBe(202);
    expect((await jobEnd(stack.url, body.job_id)).status).toBe('cancelled');
    const { code, output } = await stack.vortex('audit', '--collection', 'cancelled', '--json');
    expect([code, JSON.parse(output).problems]).toEqual([0, []]);
  });

  it('a job whose worker is killed is taken up where it was', async () => {
    const { body } = await upload(stack.url, {
      name: 'killed.txt',
      content: `${prose('killed', 120)}\n\nThe zanzibar clause closes this document.`,
      fields: { collection: 'killed', chunk_size: 64 },
    });
    await isEmbedding(body.job_id);
    await stack.kill('ingest');
    expect(await jobEnd(stack.url, body.job_id)).toMatchObject({ status: 'completed', progress: 100 });
    const progress = (await jobEvents(stack.url, body.job_id, '1')).map((event) => event.progress);
    expect(progress).toEqual([...progress].sort((one, other) => one - other));
    const [hit] = await search(stack.url, 'zanzibar clause', { collection: 'killed' });
    expect(hit.text).toContain('zanzibar');
  });

  it('leaves nothing behind: a clean audit', expectCleanAudit);
});

interface Told {
  status: string;
  progress: number;
  message: string | null;
}

/** The job's events to the last one: from now on, or all behind `after`. */
async function jobEvents(url: string, jobId: string, after?: string): Promise<Told[]> {
  const reply = await fetch(`${url}/api/jobs/${jobId}/events`, {
    headers: after === undefined ? {} : { 'Last-Event-ID': after },
  });
  const events: Told[] = [];
  const parser = createParser({ onEvent: ({ data }) => events.push(JSON.parse(data)) });
  parser.feed(await reply.text());
  return events;
}
