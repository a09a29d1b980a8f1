import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { completed, gatewayUnderTest } from './gateway-under-test.ts';

const ask = (url: string) =>
  fetch(`${url}/query`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"query":"a"}',
  });

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
    await vi.waitFor(() => expect(queue.submitted).toHaveLength(1));
    drain();
    expect(await (await app.request('/readyz')).json()).toEqual({
      ready: false,
      reasons: ['the gateway is stopping'],
    });
    const stopped = server.stop(30_000);
    expect(server.stop(0)).toBe(stopped);
    finish();
    expect((await asked).status).toBe(200);
    await stopped;
    await expect(ask(server.url)).rejects.toThrow();
  });

  it('cuts what is still open at the end of its budget, and cancels its job', async () => {
    const { serve, queue } = await gatewayUnderTest();
    const server = await serve();
    queue.script = () => new Promise(() => {});
    const asked = ask(server.url);
    asked.catch(() => {});
    await vi.waitFor(() => expect(queue.submitted).toHaveLength(1));
    await server.stop(1);
    await expect(asked).rejects.toThrow();
    await vi.waitFor(() => expect(queue.cancelled).toEqual(queue.submitted.map(({ id }) => id)));
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

describe('starting', () => {
  it('says so when the port is taken', async () => {
    const { serve } = await gatewayUnderTest();
    const { port } = await serve();
    const other = await gatewayUnderTest();
    const { startServer } = await import('../src/server.ts');
    const { silentLogger } = await import('@vortex/observability');
    await expect(
      startServer({ app: other.app, host: '127.0.0.1', port, log: silentLogger }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
