import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { until } from '@vortex/testkit';
import { expect, it } from 'vitest';
import { createCloseTurns } from '../src/transport/close-in-turn.ts';
import { createTurns } from '../src/transport/in-turn.ts';

it('connections that hang up at once are closed a few per turn', async () => {
  const inTurn = createTurns();
  let turn = 0;
  const closedIn: number[] = [];
  let requests = 0;
  const server = createServer((incoming, outgoing) => {
    requests += 1;
    // Never answered.
    inTurn(incoming, outgoing, () => incoming.socket.once('close', () => closedIn.push(turn)));
  });
  server.on('connection', createCloseTurns());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sockets = Array.from({ length: 30 }, () => connect(port, '127.0.0.1'));
  for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20));
  await until('all have come', () => requests === 600);
  const countTurns = () => {
    turn += 1;
    if (closedIn.length < sockets.length) setImmediate(countTurns);
  };
  countTurns();
  for (const socket of sockets) socket.destroy();
  await until('all are closed', () => closedIn.length === sockets.length);
  const perTurn = Map.groupBy(closedIn, (one) => one);
  expect(Math.max(...[...perTurn.values()].map((those) => those.length))).toBeLessThanOrEqual(4);
  server.close();
});
