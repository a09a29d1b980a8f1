import { once } from 'node:events';
import { connect } from 'node:net';
import { until } from '@vortex/testkit';
import { describe, expect, it } from 'vitest';
import { completed, gatewayUnderTest } from './gateway-under-test.ts';

const ask = (name: string) =>
  `POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 13\r\nX-Request-Id: ${name}\r\n\r\n{"query":"a"}`;

async function pipelined(text: string) {
  const gateway = await gatewayUnderTest();
  const finish: (() => void)[] = [];
  gateway.queue.script = ({ id }) => new Promise((resolve) => finish.push(() => resolve(completed(id))));
  const { port } = await gateway.serve();
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.setEncoding('utf8').on('data', (piece: string) => {
    heard += piece;
  });
  socket.write(text);
  return {
    ...gateway,
    finish,
    socket,
    answered: () => [...heard.matchAll(/X-Request-Id: (\w+)/g)].map((one) => one[1]),
  };
}

describe('requests of one connection', () => {
  it('are run one after the other, however many came at once', async () => {
    const { queue, finish, socket, answered } = await pipelined(
      ['first', 'second', 'third'].map(ask).join(''),
    );
    for (const asked of [1, 2, 3]) {
      await until(`${asked} asked`, () => queue.submitted.length === asked);
      // Two more would have come with the same packet.
      await new Promise(setImmediate);
      expect(queue.submitted).toHaveLength(asked);
      finish[asked - 1]?.();
    }
    await until('three answers', () => answered().length === 3);
    expect(answered()).toEqual(['first', 'second', 'third']);
    socket.destroy();
  });

  it('are not begun when the client has left', async () => {
    const { queue, socket } = await pipelined(ask('first') + ask('second'));
    await until('the first is asked', () => queue.submitted.length === 1);
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    await until('the first is cancelled', () => queue.cancelled.length === 1);
    await new Promise(setImmediate);
    expect(queue.submitted).toHaveLength(1);
  });
});

describe('requests of many connections', () => {
  it('are begun a few per turn, in the order they came', async () => {
    const gateway = await gatewayUnderTest();
    const finish: (() => void)[] = [];
    gateway.queue.script = ({ id }) => new Promise((resolve) => finish.push(() => resolve(completed(id))));
    const { port } = await gateway.serve();
    const sockets = Array.from({ length: 150 }, () => connect(port, '127.0.0.1'));
    // Connections are taken one per turn; these have been.
    await Promise.all(
      sockets.map((socket) => {
        socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
        return once(socket, 'data');
      }),
    );
    for (const socket of sockets) socket.write(ask('many'));
    const perTurn: number[] = [];
    for (let asked = 0; asked < sockets.length; ) {
      await new Promise(setImmediate);
      perTurn.push(gateway.queue.submitted.length - asked);
      asked = gateway.queue.submitted.length;
    }
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(64);
    for (const socket of sockets) socket.destroy();
    await until('all are cancelled', () => gateway.queue.cancelled.length === sockets.length);
  });
});
