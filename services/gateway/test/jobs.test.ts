import {
  cancelAccepted,
  type JobEvent,
  jobEvent,
  jobPage,
  jobResponse,
  jobStatusResponse,
} from '@vortex/contracts';
import { QueueUnavailable } from '@vortex/queue';
import { RegistryUnavailable } from '@vortex/registry';
import { until } from '@vortex/testkit';
import { describe, expect, it } from 'vitest';
import { eventsIn, gatewayUnderTest } from './gateway-under-test.ts';
import { acceptDocument, withDocument } from './with-document.ts';

// One piece: all routes tell of the same jobs.

const embedding = (done: number) => ({
  stage: 'embed' as const,
  progress: done,
  message: `Embedding ${done} of 100 chunks`,
  etaMs: 1000,
});

describe('a document’s job', () => {
  it('is read from the registry, whatever Redis knows or does not', async () => {
    const { app, queue, registry, documentId, publish } = await withDocument();
    await registry.claimJob('job_1');
    await registry.noteProgress('job_1', embedding(41));
    // A FLUSHALL: nothing there; or nobody there at all.
    queue.jobStatus = () => Promise.reject(new Error('redis is away'));
    const read = async (path = '') => (await app.request(`/api/jobs/job_1${path}`)).json();
    expect(jobResponse.strict().parse(await read())).toMatchObject({
      ...{ id: 'job_1', type: 'document_upload', status: 'processing', progress: 41, stage: 'embed' },
      ...{ message: 'Embedding 41 of 100 chunks', eta_ms: 1000, document_id: documentId, max_retries: 4 },
      ...{ payload: { filename: 'mine.txt' }, result: null, error: null, completed_at: null },
    });
    expect(jobStatusResponse.strict().parse(await read('/status'))).toMatchObject({ progress: 41 });
    await publish();
    expect(await read()).toMatchObject({
      ...{ status: 'completed', progress: 100, stage: null, eta_ms: null },
      result: { document_id: documentId, chunk_count: 1, processing_time_ms: 5 },
    });
  });

  it('that nobody knows is 404, and 503 while Redis might know it', async () => {
    const { app, queue } = await gatewayUnderTest();
    expect((await app.request('/api/jobs/job_x')).status).toBe(404);
    queue.jobStatus = () => Promise.reject(new Error('redis is away'));
    expect((await app.request('/api/jobs/job_x')).status).toBe(503);
  });

  it.each([
    ['locked', Object.assign(new Error('database is locked'), { code: 'ERR_SQLITE_ERROR', errcode: 5 })],
    ['away', new RegistryUnavailable(new Error('connect ECONNREFUSED 10.0.0.1:5432'))],
  ])('is 503 while the registry is %s, without a word of its database', async (_, error) => {
    const { app, registry } = await gatewayUnderTest();
    registry.getJob = () => Promise.reject(error);
    const response = await app.request('/api/jobs/job_1');
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toMatch(/^[1-9]$/);
    const problem = await response.text();
    expect(JSON.parse(problem)).toMatchObject({ code: 'registry_unavailable', retryable: true });
    expect(problem).not.toContain(error.message);
  });

  it('is waited for until it ends', async () => {
    const { app, publish, registry } = await withDocument();
    await registry.claimJob('job_1');
    let answered = false;
    const waiting = (async () => {
      const response = await app.request('/api/jobs/job_1?wait=60s');
      answered = true;
      return response.json();
    })();
    await registry.noteProgress('job_1', embedding(10));
    expect(answered).toBe(false);
    await publish();
    expect(await waiting).toMatchObject({ status: 'completed', progress: 100 });
    expect(await (await app.request('/api/jobs/job_1?wait=30')).json()).toMatchObject({
      status: 'completed',
    });
  });

  it('is answered as it is when the wait is over, or the client has left', async () => {
    const { app } = await withDocument();
    expect(await (await app.request('/api/jobs/job_1?wait=20ms')).json()).toMatchObject({ status: 'queued' });
    const leave = new AbortController();
    const left = app.request('/api/jobs/job_1?wait=60s', { signal: leave.signal });
    leave.abort();
    await left;
  });

  it.each(['?wait=61', '?wait=1h', '?wait=-1', '?wait=', '?weit=3'])('refuses %s', async (query) => {
    const { app } = await withDocument();
    expect((await app.request(`/api/jobs/job_1${query}`)).status).toBe(422);
  });

  it('is listed, newest first, by state and collection', async () => {
    const gateway = await withDocument();
    const other = { externalId: 'other', collection: 'more', contentHash: 'other' };
    const second = await acceptDocument(gateway, { jobId: 'job_2', change: other });
    const list = async (query = '') => {
      const page = jobPage.parse(await (await gateway.app.request(`/api/jobs${query}`)).json());
      return { ids: page.jobs.map(({ id }) => id), next: page.next };
    };
    expect(await list()).toEqual({ ids: ['job_2', 'job_1'], next: null });
    const first = await list('?limit=1');
    expect(first).toEqual({ ids: ['job_2'], next: expect.stringMatching(/\.job_2$/) });
    expect(await list(`?limit=1&after=${first.next}`)).toEqual({ ids: ['job_1'], next: null });
    expect((await list('?collection=more')).ids).toEqual(['job_2']);
    await second.publish();
    expect((await list('?state=completed')).ids).toEqual(['job_2']);
    for (const query of ['state=done', 'after=job_2', 'after=1.']) {
      expect((await gateway.app.request(`/api/jobs?${query}`)).status, query).toBe(422);
    }
  });
});

describe('cancelling', () => {
  it('asks the registry and the chain, and is refused once the job has ended', async () => {
    const { post, queue, registry, publish } = await withDocument();
    const response = await post('/api/jobs/job_1/cancel', '');
    expect(response.status).toBe(202);
    expect(cancelAccepted.parse(await response.json())).toMatchObject({ status_url: '/api/jobs/job_1' });
    expect(queue.cancelled).toEqual(['job_1']);
    expect(await registry.getJob('default', 'job_1')).toMatchObject({ cancelRequested: true });
    await publish();
    await registry.forgetVersion('default', (await registry.staleVersions())[0]?.documentId ?? '', 1);
    const again = await post('/api/jobs/job_1/cancel', '');
    expect([again.status, await again.json()]).toMatchObject([409, { code: 'job_ended' }]);
  });

  it('holds for a document also while Redis is away, not for a question', async () => {
    const { post, queue, registry } = await withDocument();
    queue.cancel = () => Promise.reject(new QueueUnavailable('redis is away'));
    expect((await post('/api/jobs/job_1/cancel', '')).status).toBe(202);
    expect(await registry.getJob('default', 'job_1')).toMatchObject({ cancelRequested: true });
    queue.jobs.set('qry_1', { id: 'qry_1', type: 'query', status: 'processing' });
    expect((await post('/api/jobs/qry_1/cancel', '')).status).toBe(503);
  });

  it('reaches a question through the chain', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.jobs.set('qry_1', { id: 'qry_1', type: 'query', status: 'processing' });
    expect((await post('/api/jobs/qry_1/cancel', '')).status).toBe(202);
    expect(queue.cancelled).toEqual(['qry_1']);
    queue.jobs.set('qry_1', { id: 'qry_1', type: 'query', status: 'failed' });
    expect((await post('/api/jobs/qry_1/cancel', '')).status).toBe(409);
    expect((await post('/api/jobs/qry_2/cancel', '')).status).toBe(404);
  });

  it('is DELETE as well, also of a question that is shown nowhere because its client waits for it', async () => {
    const { app, queue } = await gatewayUnderTest();
    const remove = (id: string) => app.request(`/api/jobs/${id}`, { method: 'DELETE' });
    queue.jobs.set('qry_1', { id: 'qry_1', type: 'query', status: 'processing' });
    queue.live.add('qry_2');
    expect((await remove('qry_1')).status).toBe(202);
    const waited = await remove('qry_2');
    expect(waited.status).toBe(202);
    expect(cancelAccepted.parse(await waited.json())).toMatchObject({ status: 'processing' });
    expect(queue.cancelled).toEqual(['qry_1', 'qry_2']);
    expect((await remove('qry_3')).status).toBe(404);
  });
});

describe('running again', () => {
  it('queues a failed job under its id', async () => {
    const { post, queue, registry } = await withDocument();
    const early = await post('/api/jobs/job_1/retry', '');
    expect([early.status, await early.json()]).toMatchObject([409, { code: 'job_not_retryable' }]);
    const error = { code: 'corrupt_file', message: 'it is broken' };
    await registry.endJob('job_1', 'failed', error);
    const response = await post('/api/jobs/job_1/retry', '');
    expect([response.status, await response.json()]).toMatchObject([
      202,
      { job_id: 'job_1', status: 'queued' },
    ]);
    expect(queue.submitted).toMatchObject([{ id: 'job_1', envelope: 'bare', list: 'queue:document_upload' }]);
    expect((await post('/api/jobs/job_x/retry', '')).status).toBe(404);
  });

  it('leaves it to the sweeper when Redis is away', async () => {
    const { post, queue, registry } = await withDocument();
    const error = { code: 'internal', message: 'it is broken' };
    await registry.endJob('job_1', 'failed', error);
    queue.admit = () => Promise.reject(new QueueUnavailable('redis is away'));
    expect((await post('/api/jobs/job_1/retry', '')).status).toBe(202);
    expect(await registry.getJob('default', 'job_1')).toMatchObject({ status: 'queued' });
  });
});

describe('GET /api/jobs/{id}/events', () => {
  type Told = { event: string | undefined; id: string | undefined; data: JobEvent };

  /** Reads a running stream until `enough`, then leaves it. */
  async function follow(
    app: { request(path: string, init?: RequestInit): Response | Promise<Response> },
    enough: (told: Told[]) => boolean,
    last?: string,
  ): Promise<Told[]> {
    const headers: Record<string, string> = last === undefined ? {} : { 'Last-Event-ID': last };
    const response = await app.request('/api/jobs/job_1/events', { headers });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    let text = '';
    const decoder = new TextDecoder();
    const reader = response.body?.getReader();
    const told = () =>
      eventsIn(text.slice(0, text.lastIndexOf('\n\n') + 1)).map(({ event, id, data }) => ({
        event,
        id,
        data: jobEvent.strict().parse(data),
      }));
    while (reader !== undefined && !enough(told())) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
    await reader?.cancel();
    return told();
  }

  it('tells the state at once, then every change, and ends', async () => {
    const { app, registry, publish } = await withDocument();
    await registry.claimJob('job_1');
    const telling = follow(app, () => false);
    await registry.noteProgress('job_1', embedding(10));
    await registry.noteProgress('job_1', embedding(60));
    await publish();
    const told = await telling;
    expect(told.at(-1)).toMatchObject({ event: 'end', data: { status: 'completed', progress: 100 } });
    expect(told.slice(0, -1).every(({ event }) => event === 'progress')).toBe(true);
    const numbers = told.map(({ data }) => data.sequence);
    expect(numbers).toEqual(numbers.map((_, at) => (numbers[0] ?? 0) + at));
    expect(told.map(({ id }) => id)).toEqual(numbers.map(String));
  });

  it('goes on after the last event a client has, without gap or repeat, however often it is cut', async () => {
    const { app, registry, publish } = await withDocument();
    await registry.claimJob('job_1');
    const told = await follow(app, (events) => events.length === 1);
    for (let done = 1; done <= 20; done += 1) {
      await registry.noteProgress('job_1', embedding(done));
      // Some come while nobody is connected.
      if (done % 3 !== 0) continue;
      told.push(...(await follow(app, (events) => events.length >= 1, told.at(-1)?.id)));
    }
    await publish();
    told.push(...(await follow(app, () => false, told.at(-1)?.id)));
    const numbers = told.map(({ data }) => data.sequence);
    expect(numbers).toEqual(numbers.map((_, at) => (numbers[0] ?? 0) + at));
    expect(told.at(-1)?.event).toBe('end');
    const after = await app.request(`/api/jobs/job_1/events?last_event_id=${told.at(-1)?.id}`);
    expect(after.status, 'an EventSource that is told 204 does not come back').toBe(204);
  });

  it('begins with the end for a job that has ended', async () => {
    const { app, publish } = await withDocument();
    await publish();
    const told = await follow(app, () => false);
    expect(told).toMatchObject([{ event: 'end', data: { status: 'completed' } }]);
  });

  it('tells many watchers of many jobs from one loop', async () => {
    const gateway = await withDocument();
    const { app, registry, publish } = gateway;
    let asked = 0;
    const { jobEvents } = registry;
    registry.jobEvents = (...which) => {
      asked += 1;
      return jobEvents.apply(registry, which);
    };
    let connected = 0;
    const all = Array.from({ length: 50 }, () =>
      follow(app, (events) => {
        if (events.length === 1) connected += 1;
        return false;
      }),
    );
    await until('all have heard the first event', () => connected >= 50);
    asked = 0;
    await publish();
    for (const told of await Promise.all(all)) expect(told.at(-1)?.event).toBe('end');
    expect(asked, 'one look at the job, not one per watcher').toBeLessThan(10);
  });

  it('follows a job that stands in Redis alone, and into the registry', async () => {
    const gateway = await gatewayUnderTest();
    const { app, queue } = gateway;
    const at = (ms: number) => new Date(1_700_000_000_000 + ms).toISOString();
    queue.jobs.set('job_1', { id: 'job_1', type: 'ingest', status: 'queued', updated_at: at(0) });
    let first: Told[] = [];
    const telling = follow(app, (events) => {
      first = events;
      return false;
    });
    await until('the queued state is told', () => first.length === 1);
    const accepted = await acceptDocument(gateway, { jobId: 'job_1' });
    await accepted.publish();
    const told = await telling;
    expect(told[0]?.data).toMatchObject({ status: 'queued', sequence: 1_700_000_000_000 });
    expect(told.at(-1)).toMatchObject({ event: 'end', data: { status: 'completed' } });
    // Who was cut off behind the first state gets all that came since.
    const resumed = await follow(app, () => false, told[0]?.id);
    expect(resumed.at(-1)?.event).toBe('end');
  });

  it('follows a question to its end', async () => {
    const { app, queue } = await gatewayUnderTest();
    queue.jobs.set('job_1', {
      id: 'job_1',
      type: 'query',
      status: 'processing',
      updated_at: '1700000000000',
    });
    let told: Told[] = [];
    const telling = follow(app, (events) => {
      told = events;
      return false;
    });
    await until('the state is told', () => told.length === 1);
    queue.jobs.set('job_1', { id: 'job_1', type: 'query', status: 'completed', updated_at: '1700000000500' });
    expect((await telling).map(({ event }) => event)).toEqual(['progress', 'end']);
  });

  it.each([
    ['/api/jobs/job_x/events', {}, 404],
    ['/api/jobs/job_1/events', { 'Last-Event-ID': 'x' }, 422],
    ['/api/jobs/job_1/events?last_event_id=-1', {}, 422],
  ])('answers %s with headers %j by %i', async (path, headers, status) => {
    const { app } = await withDocument();
    expect((await app.request(path, { headers: headers as Record<string, string> })).status).toBe(status);
  });
});
