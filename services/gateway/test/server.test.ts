import { once } from 'node:events';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createLogger, silentLogger } from '@vortex/observability';
import { until } from '@vortex/testkit';
import { describe, expect, it } from 'vitest';
import { startServer } from '../src/server.ts';
import { completed, frame, gatewayUnderTest, sampleAnswer } from './gateway-under-test.ts';

const ask = (url: string) =>
  fetch(`${url}/query`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"query":"a"}',
  });

/** The status, and whether the connection is to be kept. */
async function askWhole(url: string): Promise<[number, string | null]> {
  const answer = await ask(url);
  await answer.text();
  return [answer.status, answer.headers.get('connection')];
}

describe('stopping', () => {
  it('lets open requests finish, and is the same stop when asked twice', async () => {
    const { serve, queue, drain, app } = await gatewayUnderTest();
    const server = await serve();
    let finish = () => {};
    queue.script = ({ id }) =>
      new Promise((resolve) => {
        finish = () => resolve(completed(id));
      });
    const asked = ask(server.url);
    await until('it is submitted', () => queue.submitted.length === 1);
    drain();
    expect(await (await app.request('/readyz')).json()).toEqual({
      ready: false,
      reasons: ['the gateway is stopping'],
    });
    const stopped = server.stop(30_000);
    expect(server.stop(0)).toBe(stopped);
    finish();
    const answer = await asked;
    expect(answer.status).toBe(200);
    expect(answer.headers.get('connection')).toBe('close');
    await stopped;
    await expect(ask(server.url)).rejects.toThrow();
  });

  it('still takes connections for a while, and asks everybody to leave', async () => {
    const { serve, queue } = await gatewayUnderTest();
    queue.script = async ({ id }) => completed(id);
    const server = await serve();
    expect(await askWhole(server.url)).toEqual([200, 'keep-alive']);
    const grace = server.stopAccepting(2 ** 30);
    // The first on the connection that was kept, the second on a new one.
    expect(await askWhole(server.url)).toEqual([200, 'close']);
    expect(await askWhole(server.url)).toEqual([200, 'close']);
    await server.stop(30_000);
    await grace;
    await expect(ask(server.url)).rejects.toThrow();
  });

  it('answers a connection whose first request was still on its way', async () => {
    const { serve, queue } = await gatewayUnderTest();
    queue.script = async ({ id }) => completed(id);
    const server = await serve();
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    const stopped = server.stop(30_000);
    await server.stopAccepting(0);
    for (let turns = 0; turns < 20; turns += 1) await nextTurn();
    let received = '';
    socket.setEncoding('utf8').on('data', (piece: string) => {
      received += piece;
    });
    const closed = once(socket, 'close');
    socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    await closed;
    await stopped;
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(received).toMatch(/\r\nConnection: close\r\n/);
  });

  // macOS cannot share a port.
  it.skipIf(process.platform !== 'linux')('leaves a shared port to the other gateway', async () => {
    const { serve, queue } = await gatewayUnderTest();
    queue.script = async ({ id }) => completed(id);
    const first = await serve({ reusePort: true });
    const other = await serve({ reusePort: true, port: first.port });
    expect(other.url).toBe(first.url);
    const answers: number[] = [];
    const grace = first.stopAccepting(1);
    const stopped = grace.then(() => first.stop(30_000));
    for (let left = 50; left > 0; left -= 1) answers.push((await askWhole(other.url))[0]);
    await stopped;
    answers.push((await askWhole(other.url))[0]);
    expect(answers).toEqual(Array(51).fill(200));
  });

  it('cuts what is still open at the end of its budget, and cancels its job', async () => {
    const { serve, queue } = await gatewayUnderTest();
    const server = await serve();
    queue.script = () => new Promise(() => {});
    const asked = ask(server.url);
    asked.catch(() => {});
    await until('it is submitted', () => queue.submitted.length === 1);
    await server.stop(1);
    await expect(asked).rejects.toThrow();
    await until('it is cancelled', () => queue.cancelled.length > 0);
    expect(queue.cancelled).toEqual(queue.submitted.map(({ id }) => id));
  });

  it('does not wait for connections that have not asked anything', async () => {
    const { serve } = await gatewayUnderTest();
    const server = await serve();
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    await once(socket, 'connect');
    await server.stop(2 ** 30);
    await closed;
  });
});

describe('a stream on the wire', () => {
  it('passes each event on when it happens', async () => {
    const { serve, queue } = await gatewayUnderTest();
    const { url } = await serve();
    const told = Promise.withResolvers<(text: string) => void>();
    const end = Promise.withResolvers<void>();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources: sampleAnswer.sources }));
      told.resolve((text) => onFrame?.(frame(id, { kind: 'delta', text })));
      await end.promise;
      return completed(id);
    };
    const response = await fetch(`${url}/query`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"query":"a","stream":true}',
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let received = '';
    const readUntil = async (text: string) => {
      while (!received.includes(text)) received += (await reader?.read())?.value ?? '';
    };
    const tell = await told.promise;
    await readUntil('event: sources');
    for (const word of ['The ', 'retriever ', 'reads ']) {
      tell(word);
      await readUntil(`{"text":"${word}"}`);
    }
    expect(received).not.toContain('event: done');
    end.resolve();
    await readUntil('event: done');
  });
});

describe('the request log', () => {
  it('has one line per request, with its job and never with its words', async () => {
    const lines: string[] = [];
    const destination = new Writable({
      write(piece, _encoding, done) {
        lines.push(String(piece));
        done();
      },
    });
    const { post, queue, app } = await gatewayUnderTest(
      {},
      createLogger({ service: 'gateway', destination }),
    );
    const answer = await post('/query', { query: 'my secret question' }, { 'X-Request-Id': 'mine' });
    const first = Buffer.byteLength(await answer.text());
    await post('/query', { query: 'my secret question', stream: 'my secret question' });
    const stream = await (await post('/query', { query: 'my secret question', stream: true })).text();
    await app.request('/healthz');
    const requests = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request');
    expect(requests).toMatchObject([
      {
        ...{
          request_id: 'mine',
          job_id: queue.submitted[0]?.id,
          method: 'POST',
          route: '/query',
          status: 200,
        },
        ...{ tenant: 'default', key_id: null, trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) },
        ...{ bytes: Number(first), ms: expect.any(Number), time: expect.stringMatching(/Z$/) },
      },
      { status: 422 },
      { status: 200, job_id: queue.submitted[1]?.id, bytes: Buffer.byteLength(stream) },
    ]);
    expect(lines.join('')).not.toContain('secret');
  });
});

describe('starting', () => {
  it('says so when the port is taken', async () => {
    const { serve } = await gatewayUnderTest();
    const { port } = await serve();
    const other = await gatewayUnderTest();
    await expect(
      startServer({ app: other.app, host: '127.0.0.1', port, log: silentLogger }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
