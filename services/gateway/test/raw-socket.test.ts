import { once } from 'node:events';
import { connect } from 'node:net';
import { problem } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';

/** What the server says on a bare connection until it closes it or, after `quietMs` of silence, we do. */
async function talk(port: number, send: (write: (data: string | Buffer) => Promise<void>) => Promise<void>) {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  let failure: NodeJS.ErrnoException | undefined;
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    received += text;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error;
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await send(
    (data) =>
      new Promise((resolve) => {
        socket.write(data, () => resolve());
      }),
  );
  socket.end();
  await closed;
  return { received, failure, answers: answersIn(received) };
}

/** The answers in the order they came, each with its JSON body. */
function answersIn(received: string): { status: number; body: unknown }[] {
  return received
    .split(/(?=HTTP\/1\.1 )/)
    .filter((answer) => answer !== '')
    .map((answer) => ({
      status: Number(answer.slice(9, 12)),
      body: JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4) || 'null'),
    }));
}

const head = (headers: string[], path = '/query') =>
  [`POST ${path} HTTP/1.1`, 'Host: vortex', 'Content-Type: application/json', ...headers, '', ''].join(
    '\r\n',
  );
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

async function served(options: { requestTimeoutMs?: number; maxConnections?: number } = {}) {
  const gateway = await gatewayUnderTest({ max_body_bytes: 1000 });
  const server = await gateway.serve(options);
  return { ...gateway, port: server.port };
}

describe('bodies on the wire', () => {
  it('takes a chunked body within the limit', async () => {
    const { port, queue } = await served();
    const { answers } = await talk(port, async (write) => {
      await write(head(['Transfer-Encoding: chunked', 'Connection: close']));
      await write(chunk('{"query":'));
      await write(`${chunk('"a"}')}0\r\n\r\n`);
    });
    expect(answers.map(({ status }) => status)).toEqual([200]);
    expect(queue.submitted).toHaveLength(1);
  });

  it.each(['keep-alive', 'close'])(
    'counts a chunked body; a client that writes all first reads the 413 (%s)',
    async (connection) => {
      const { port, queue } = await served();
      const { answers, failure } = await talk(port, async (write) => {
        await write(head(['Transfer-Encoding: chunked', `Connection: ${connection}`]));
        for (let piece = 0; piece < 64; piece += 1) await write(chunk('x'.repeat(64 * 1024)));
        await write('0\r\n\r\n');
      });
      expect(failure).toBeUndefined();
      expect(problem.parse(answers[0]?.body)).toMatchObject({ status: 413, code: 'body_too_large' });
      expect(queue.submitted).toEqual([]);
    },
  );

  it('keeps the connection for the next request once the refused body is read', async () => {
    const { port } = await served();
    const body = 'x'.repeat(200_000);
    const { answers } = await talk(port, async (write) => {
      await write(head([`Content-Length: ${body.length}`]) + body);
      await write(`${head(['Content-Length: 13', 'Connection: close'])}{"query":"a"}`);
    });
    expect(answers.map(({ status }) => status)).toEqual([413, 200]);
  });

  it('cuts a client that sends more than 64 MB for nothing', async () => {
    const { port, queue } = await served();
    const { received, failure } = await talk(port, async (write) => {
      await write(head(['Transfer-Encoding: chunked']));
      const piece = Buffer.from(chunk('x'.repeat(1024 * 1024)));
      for (let megabytes = 0; megabytes < 100; megabytes += 1) await write(piece);
    });
    // Without a cut all 100 MB would be taken, and the connection would end without an error.
    expect(failure?.code).toMatch(/^(ECONNRESET|EPIPE)$/);
    expect(received).toContain(' 413 ');
    expect(queue.submitted).toEqual([]);
  });

  it.each([
    ['a length that is no number', 'Content-Length: many'],
    ['a negative length', 'Content-Length: -1'],
    ['a length with a sign', 'Content-Length: +13'],
    ['two lengths', 'Content-Length: 13\r\nContent-Length: 14'],
    ['a length beside chunks', 'Content-Length: 13\r\nTransfer-Encoding: chunked'],
  ])('refuses %s', async (_name, header) => {
    const { port, queue } = await served();
    const { answers } = await talk(port, async (write) => write(`${head([header])}{"query":"a"}`));
    expect(problem.parse(answers[0]?.body)).toMatchObject({ status: 400, code: 'bad_request' });
    expect(queue.submitted).toEqual([]);
  });

  it('refuses a body without any length', async () => {
    const { port, queue } = await served();
    const { answers } = await talk(port, async (write) => write(`${head([])}{"query":"a"}`));
    expect(problem.parse(answers[0]?.body)).toMatchObject({ status: 400 });
    expect(queue.submitted).toEqual([]);
  });

  it.each([
    ['the start of a body', 5],
    ['a whole question and garbage behind it', 13],
  ])('refuses a body longer than its length, where that is %s', async (_name, length) => {
    const { port, queue } = await served();
    const { answers, failure } = await talk(port, async (write) => {
      await write(`${head([`Content-Length: ${length}`])}{"query":"a"}${'x'.repeat(500_000)}`);
    });
    expect(failure).toBeUndefined();
    expect(problem.parse(answers[0]?.body)).toMatchObject({ status: 400 });
    expect(queue.submitted).toEqual([]);
  });

  it('refuses a declared length over the limit at once, without waiting for the body', async () => {
    const { port, queue } = await served();
    const { answers } = await talk(port, async (write) =>
      write(`${head(['Content-Length: 999999999'])}{"query"`),
    );
    expect(problem.parse(answers[0]?.body)).toMatchObject({ status: 413, code: 'body_too_large' });
    expect(queue.submitted).toEqual([]);
  });

  it('gives up on a body that never comes', async () => {
    const { port, queue } = await served({ requestTimeoutMs: 200 });
    const stay = Promise.withResolvers<void>();
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (text) => {
      received += text;
    });
    socket.once('close', () => stay.resolve());
    socket.write(`${head(['Content-Length: 900'])}{"query":"a"}`);
    await stay.promise;
    expect(problem.parse(answersIn(received)[0]?.body)).toMatchObject({
      status: 408,
      code: 'request_timeout',
    });
    expect(queue.submitted).toEqual([]);
  });

  it('answers a Host that is none with a problem', async () => {
    const { port } = await served();
    const { answers } = await talk(port, async (write) =>
      write('GET /healthz HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n'),
    );
    expect(problem.parse(answers[0]?.body)).toMatchObject({ status: 400, code: 'bad_request' });
  });

  it.each([
    ['a request that names no Host', 'GET /healthz HTTP/1.1', 400, 'bad_request'],
    ['a tunnel', 'CONNECT vortex:80 HTTP/1.1\r\nHost: vortex:80', 405, 'method_not_allowed'],
  ])('answers %s with a problem', async (_name, lines, status, code) => {
    const { port } = await served();
    const { answers } = await talk(port, async (write) => write(`${lines}\r\n\r\n`));
    expect(problem.parse(answers[0]?.body)).toMatchObject({ status, code });
  });

  it('ignores an expectation it does not know', async () => {
    const { port } = await served();
    const { answers } = await talk(port, async (write) =>
      write(`${head(['Expect: tea', 'Content-Length: 13', 'Connection: close'])}{"query":"a"}`),
    );
    expect(answers.map(({ status }) => status)).toEqual([200]);
  });

  it('refuses headers without end', async () => {
    const { port } = await served();
    const { answers } = await talk(port, async (write) => write(head([`X-Long: ${'x'.repeat(40_000)}`])));
    expect(problem.parse(answers[0]?.body)).toMatchObject({ status: 431, code: 'headers_too_large' });
  });

  it('refuses an address that is long, though its headers are short', async () => {
    const { port } = await served();
    const { answers } = await talk(port, async (write) =>
      write(`GET /healthz?${'a'.repeat(9000)} HTTP/1.1\r\nHost: vortex\r\n\r\n`),
    );
    expect(problem.parse(answers[0]?.body)).toMatchObject({ status: 414, code: 'uri_too_long' });
  });

  it('takes no more connections than it may hold, and new ones when others have gone', async () => {
    const { port } = await served({ maxConnections: 2 });
    const hello = 'GET /healthz HTTP/1.1\r\nHost: vortex\r\n\r\n';
    const ask = () => {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      socket.write(hello);
      const end = Promise.race([
        once(socket, 'data').then(() => true),
        once(socket, 'close').then(() => false),
      ]);
      return { socket, end };
    };
    const [first, second] = [ask(), ask()];
    expect([await first.end, await second.end]).toEqual([true, true]);
    expect(await ask().end).toBe(false);
    first.socket.destroy();
    await once(first.socket, 'close');
    await expect.poll(async () => ask().end).toBe(true);
    second.socket.destroy();
  });

  it('survives a client that hangs up in the middle of its body', async () => {
    const { port, queue, app } = await served();
    const socket = connect(port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.write(`${head(['Content-Length: 900'])}{"query"`, resolve));
    socket.destroy();
    await closed;
    expect((await app.request('/healthz')).status).toBe(200);
    expect(queue.submitted).toEqual([]);
  });
});
