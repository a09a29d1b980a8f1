import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { until } from '@vortex/testkit';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';
import { closing, field, filePart, multipart, multipartType } from './multipart.ts';

const maxBytes = 4 * 1024 * 1024;

async function served(options: { requestTimeoutMs?: number; largestBodyBytes?: number } = {}) {
  const gateway = await gatewayUnderTest({ max_upload_bytes: maxBytes });
  const server = await gateway.serve(options);
  const incoming = () => readdir(gateway.incomingDir).catch(() => []);
  return { ...gateway, server, incoming };
}

async function open(port: number): Promise<{ socket: Socket; heard(): string }> {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    heard += text;
  });
  // Cut connections are what these tests are about.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return { socket, heard: () => heard };
}

/** Takes its listeners off again: a race of two `once` leaves the loser's, two for each turn of a loop. */
async function drainedOrAnswered(socket: Socket): Promise<void> {
  const turn = new AbortController();
  const events = ['drain', 'data'].map((event) => once(socket, event, { signal: turn.signal }));
  await Promise.race(events).finally(() => turn.abort());
}

const head = (...headers: string[]) =>
  [
    'POST /api/documents/upload HTTP/1.1',
    'Host: vortex',
    `Content-Type: ${multipartType}`,
    ...headers,
    '',
    '',
  ].join('\r\n');
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

describe('an upload over a socket', () => {
  it('is taken in whatever pieces it comes, fields behind the file', async () => {
    const { server, queue, registry } = await served();
    const { socket, heard } = await open(server.port);
    const content = 'The pump needs oil. '.repeat(30_000);
    const body = multipart(filePart('"long.txt"', content), field('collection', 'plant'));
    socket.write(head('Transfer-Encoding: chunked'));
    for (let at = 0; at < body.length; at += 99_991) socket.write(chunk(body.slice(at, at + 99_991)));
    socket.write('0\r\n\r\n');
    await until('an answer', () => heard().includes('\r\n\r\n'));
    expect(heard()).toContain('HTTP/1.1 202');
    expect(queue.submitted).toHaveLength(1);
    expect(await registry.listDocuments('default')).toMatchObject([
      { collection: 'plant', filename: 'long.txt' },
    ]);
    socket.destroy();
  });

  it('of a declared length over the limit is refused before anything of it is read', async () => {
    const { server, incoming } = await served();
    const { socket, heard } = await open(server.port);
    socket.write(head(`Content-Length: ${10 * maxBytes}`));
    await until('an answer', () => heard().includes('file_too_large'));
    expect(heard()).toContain('HTTP/1.1 413');
    expect(await incoming()).toEqual([]);
    socket.destroy();
  });

  it('that asks first is not told to send what would be refused', async () => {
    const { server } = await served({ largestBodyBytes: 2 * maxBytes });
    const { socket, heard } = await open(server.port);
    socket.write(head(`Content-Length: ${10 * maxBytes}`, 'Expect: 100-continue'));
    await until('an answer', () => heard().includes('file_too_large'));
    expect(heard()).not.toContain('100 Continue');
    socket.destroy();
    const other = await open(server.port);
    const body = multipart(filePart('"a.txt"', 'text'));
    other.socket.write(head(`Content-Length: ${body.length}`, 'Expect: 100-continue'));
    await until('the word to go on', () => other.heard().includes('100 Continue'));
    other.socket.write(body);
    await until('an answer', () => other.heard().includes('HTTP/1.1 202'));
    other.socket.destroy();
  });

  it('that grows over the limit is refused in the middle, and nothing of it stays', async () => {
    const { server, incoming, queue } = await served();
    const { socket, heard } = await open(server.port);
    socket.write(head('Transfer-Encoding: chunked'));
    socket.write(chunk(filePart('"endless.txt"', '').replace(/\r\n$/, '')));
    const piece = chunk('x'.repeat(64 * 1024));
    while (!heard().includes('file_too_large')) {
      if (!socket.write(piece)) await drainedOrAnswered(socket);
    }
    expect(heard()).toContain('HTTP/1.1 413');
    await until('the file is gone', async () => (await incoming()).length === 0);
    expect(queue.submitted).toEqual([]);
    socket.destroy();
  });

  it('that is cut off leaves nothing', async () => {
    const { server, incoming, queue, registry } = await served();
    const { socket } = await open(server.port);
    const body = filePart('"half.txt"', 'x'.repeat(200_000));
    socket.write(head(`Content-Length: ${body.length + closing.length}`));
    socket.write(body);
    await until('the file is being written', async () => (await incoming()).length === 1);
    socket.destroy();
    await until('the file is gone', async () => (await incoming()).length === 0);
    expect(queue.submitted).toEqual([]);
    expect(await registry.listDocuments('default')).toEqual([]);
  });

  it('that stands still is answered 408, and leaves nothing', async () => {
    const { server, incoming } = await served({ requestTimeoutMs: 200 });
    const { socket, heard } = await open(server.port);
    socket.write(head('Content-Length: 100000'));
    socket.write(filePart('"slow.txt"', 'x'));
    await until('an answer', () => heard().includes('request_timeout'));
    expect(heard()).toContain('HTTP/1.1 408');
    socket.end();
    await until('the file is gone', async () => (await incoming()).length === 0);
  });

  it('streams a large original back, whole or in part', async () => {
    const { server, registry } = await served();
    const content = 'The pump needs oil. '.repeat(100_000);
    const form = new FormData();
    form.append('file', new Blob([content]), 'größe "x".txt');
    const accepted = await (
      await fetch(`${server.url}/api/documents/upload`, { method: 'POST', body: form })
    ).json();
    const { document_id: documentId } = accepted as { document_id: string };
    await registry.publishVersion({
      ...{
        tenant: 'default',
        documentId,
        version: 1,
        textHash: 'a'.repeat(64),
        chunks: 1,
        tokens: 1,
        result: {},
      },
    });
    const url = `${server.url}/api/documents/${documentId}/content`;
    const whole = await fetch(url);
    expect(await whole.text()).toBe(content);
    const part = await fetch(url, { headers: { Range: 'bytes=4-7' } });
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
      206,
      `bytes 4-7/${content.length}`,
      'pump',
    ]);
    const left = await fetch(url);
    await left.body?.cancel();
    expect((await fetch(url, { method: 'HEAD' })).headers.get('content-length')).toBe(String(content.length));
  });
});
