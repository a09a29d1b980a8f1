import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { json, localGateway } from '../test/local-gateway.ts';

const job = (status: string) => ({
  id: 'job_1',
  type: 'document',
  status,
  progress: status === 'completed' ? 100 : 10,
  message: null,
  result: null,
  error: null,
  error_code: null,
  created_at: null,
  updated_at: null,
  started_at: null,
  completed_at: null,
});

const event = (sequence: number, status = 'processing') => {
  const { id, progress, message, error, error_code, updated_at } = job(status);
  const data = { id, status, progress, message, error, error_code, updated_at, sequence };
  const name = status === 'processing' ? 'progress' : 'end';
  return `id: ${sequence}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
};

const openStream = (response: ServerResponse) =>
  response.writeHead(200, { 'content-type': 'text/event-stream' });

/** A connection that breaks instead of ending well, once what was written has left. */
const cut = (response: ServerResponse, last: string) => response.write(last, () => response.destroy());

describe('waiting for a job', () => {
  it('asks the gateway to hold the answer, and waits for one that is away for a moment', async () => {
    const urls: (string | undefined)[] = [];
    const answers = ['queued', 'away', 'processing', 'completed'];
    const { client } = await localGateway((request, response) => {
      urls.push(request.url);
      const status = answers.shift() ?? 'queued';
      if (status === 'away') response.writeHead(503).end('no');
      else json(response, 200, job(status));
    });
    expect((await client.waitForJob('job_1')).status).toBe('completed');
    expect(urls).toEqual(Array(4).fill('/api/jobs/job_1?wait=30s'));
  });

  it('does not wait for a job that is not there', async () => {
    const { client } = await localGateway((_, response) => void response.writeHead(404).end('none'));
    await expect(client.waitForJob('job_1')).rejects.toMatchObject({ status: 404 });
  });

  it('stops when it is told to', async () => {
    const asked = Promise.withResolvers<void>();
    const { client } = await localGateway(() => asked.resolve());
    const stop = new AbortController();
    const waiting = client.waitForJob('job_1', { signal: stop.signal });
    await asked.promise;
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('the events of a job', () => {
  it('go on behind the last one after every cut, without a gap and without a repetition', async () => {
    const askedFor: (string | string[] | undefined)[] = [];
    const { client } = await localGateway((request, response) => {
      askedFor.push(request.headers['last-event-id']);
      switch (askedFor.length) {
        case 1:
          // In the middle of the third event.
          openStream(response);
          cut(response, `${event(1)}: still here\n\n${event(2)}${event(3).slice(0, -20)}`);
          break;
        case 2:
          response.writeHead(503).end('starting');
          break;
        case 3:
          response.destroy();
          break;
        case 4:
          // Tells one again, and then ends well without an end of the job.
          openStream(response).end(`${event(2)}${event(3)}`);
          break;
        default:
          openStream(response).end(`event: news\ndata: 1\n\n${event(4)}${event(5, 'completed')}`);
      }
    });
    const heard: [number, string][] = [];
    for await (const { sequence, status } of client.jobEvents('job_1')) heard.push([sequence, status]);
    expect(heard).toEqual([
      [1, 'processing'],
      [2, 'processing'],
      [3, 'processing'],
      [4, 'processing'],
      [5, 'completed'],
    ]);
    expect(askedFor).toEqual([undefined, '2', '2', '2', '3']);
  });

  it('are over when the gateway says that the end was told', async () => {
    const { client } = await localGateway((_, response) => void response.writeHead(204).end());
    expect(await client.jobEvents('job_1', { after: 5 }).next()).toEqual({ done: true, value: undefined });
  });

  it('are passed on also when their numbers go down: a job that the registry begins to count', async () => {
    const { client } = await localGateway((_, response) => {
      openStream(response).end(`${event(1_800_000_000_000)}${event(1)}${event(2, 'completed')}`);
    });
    const heard: number[] = [];
    for await (const { sequence } of client.jobEvents('job_1')) heard.push(sequence);
    expect(heard).toEqual([1_800_000_000_000, 1, 2]);
  });

  it('are asked for from where the caller says', async () => {
    let askedFor: unknown;
    const { client } = await localGateway((request, response) => {
      askedFor = request.headers['last-event-id'];
      openStream(response).end(event(8, 'failed'));
    });
    const heard: number[] = [];
    for await (const { sequence } of client.jobEvents('job_1', { after: 7 })) heard.push(sequence);
    expect(heard).toEqual([8]);
    expect(askedFor).toBe('7');
  });

  it('close their connection when they are left', async () => {
    const left = Promise.withResolvers<void>();
    const { client } = await localGateway((_, response) => {
      response.once('close', () => left.resolve());
      openStream(response).write(event(1));
    });
    for await (const { sequence } of client.jobEvents('job_1')) {
      expect(sequence).toBe(1);
      break;
    }
    await left.promise;
  });

  it('of an unknown job are a problem', async () => {
    const { client } = await localGateway((_, response) => void response.writeHead(404).end('none'));
    await expect(client.jobEvents('job_1').next()).rejects.toMatchObject({ status: 404 });
  });
});

it('lists, cancels and repeats jobs', async () => {
  const heard: string[] = [];
  const { client } = await localGateway((request, response) => {
    heard.push(`${request.method} ${request.url}`);
    if (request.method === 'POST') {
      json(response, 202, { job_id: 'job_1', status: 'processing', message: 'm', status_url: '/u' });
    } else json(response, 200, { jobs: [job('failed')], next: 'job_1' });
  });
  expect((await client.jobs.list({ state: 'failed', limit: 5 })).next).toBe('job_1');
  expect((await client.jobs.cancel('job_1')).status).toBe('processing');
  expect((await client.jobs.retry('job_1')).message).toBe('m');
  expect(heard).toEqual([
    'GET /api/jobs?state=failed&limit=5',
    'POST /api/jobs/job_1/cancel',
    'POST /api/jobs/job_1/retry',
  ]);
});
