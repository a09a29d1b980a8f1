import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClock } from '../drive/clock.ts';
import { watchTarget } from './watch-target.ts';

let url = '';
let reply: { status: number; text: string };
let keys: (string | undefined)[];
let server: ReturnType<typeof createServer>;

beforeEach(async () => {
  keys = [];
  let reads = 0;
  server = createServer((request, response) => {
    keys.push(request.headers.authorization);
    reads += 1;
    response.writeHead(reply.status).end(reply.text.replaceAll('READS', String(reads)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const watch = (key: { origin: string; value: string } | null = null) =>
  watchTarget({ pages: [`${url}/metrics`], clock: createClock(), key });

test('is read at the beginning and at the end, however short the run', async () => {
  reply = { status: 200, text: 'rag_queue_depth{queue="q"} READS\nrag_a_total READS\n' };
  const figures = await (await watch()).end(0);
  expect(figures?.pages).toEqual([{ url: `${url}/metrics`, read: 2, missed: 0 }]);
  expect(figures?.series[0]).toMatchObject({ name: 'rag_queue_depth', label: 'q', mean: 1.5, max: 2 });
  expect(figures?.counters).toEqual([{ name: 'rag_a_total', labels: {}, increase: 1 }]);
});

test('that stops answering is missed, and what was read before counts', async () => {
  reply = { status: 200, text: 'rag_queue_depth{queue="q"} 3\n' };
  const watching = await watch();
  reply = { status: 503, text: '' };
  expect((await watching.end(0))?.pages).toEqual([{ url: `${url}/metrics`, read: 1, missed: 1 }]);
});

test.each([
  [404, 'nothing here', 'HTTP 404'],
  [200, '{"answer":"yes"}', 'none of the metrics'],
])('that is none (%i) is asked once, and said', async (status, text, why) => {
  reply = { status, text };
  const watching = await watch();
  expect(watching.problems).toEqual([expect.stringContaining(why)]);
  expect(await watching.end(0)).toBeNull();
  expect(keys).toHaveLength(1);
});

test('hears the key only where the key belongs', async () => {
  reply = { status: 200, text: 'rag_a_total 1\n' };
  await (await watch({ origin: url, value: 'secret' })).end(0);
  expect(keys).toEqual(['Bearer secret', 'Bearer secret']);
  await (await watch({ origin: 'http://elsewhere', value: 'secret' })).end(0);
  expect(keys.slice(2)).toEqual([undefined, undefined]);
});
