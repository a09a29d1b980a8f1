import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { exampleRun } from '../fixtures/example-run.ts';
import { annotateGrafana } from './annotate-grafana.ts';

const { summary } = exampleRun();
let close: (() => Promise<unknown>) | undefined;
afterEach(() => close?.());

async function grafana(status: number) {
  const asked: unknown[] = [];
  const server = createServer(async (request, response) => {
    asked.push([request.method, request.url, request.headers.authorization, await json(request)]);
    response.writeHead(status).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  close = () => new Promise((resolve) => server.close(resolve));
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('a run stands in Grafana from its start to its end, and so does what was done meanwhile', async () => {
  const { asked, url } = await grafana(200);
  expect(await annotateGrafana(summary, { url, token: 'secret' })).toBeNull();
  const time = Date.parse(summary.run.started_at);
  const place = ['POST', '/api/annotations', 'Bearer secret'];
  const tags = ['vortex-loadtest', summary.run.id];
  expect(asked).toEqual([
    [
      ...place,
      {
        ...{ time, timeEnd: time + summary.timeline.length * 1000, tags },
        text: 'poisson, 695 requests, 27 failed',
      },
    ],
    [...place, { time: time + 12_000, tags: [...tags, 'mark'], text: 'the retriever was stopped for 1.5 s' }],
  ]);
});

test('a Grafana that refuses, or is away, is said, and no more', async () => {
  const { asked, url } = await grafana(401);
  expect(await annotateGrafana(summary, { url, token: null })).toMatch(/not annotated in Grafana: HTTP 401$/);
  expect(asked).toHaveLength(1);
  expect(await annotateGrafana(summary, { url: 'http://127.0.0.1:1', token: 'secret' })).toMatch(
    /^the run is not annotated(?!.*secret)/,
  );
});
