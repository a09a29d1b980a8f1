import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { Redis } from 'ioredis';

/**
 * What `POST /ingest` is measured against: the least that could be called accepting. Hono on node-server, the
 * body through JSON.parse, one RPUSH, 202. No validation, no limit, no id, no deduplication, no live view.
 * Argument: Redis URL. Sends its port; ends with its parent.
 */
const redis = new Redis(process.argv[2] ?? '');
const app = new Hono();
app.post('/ingest', async (context) => {
  const document = JSON.parse(await context.req.text()) as { document_id?: unknown };
  await redis.rpush('ingestion_queue', JSON.stringify(document));
  return context.json({ status: 'accepted', data: document.document_id }, 202);
});
/** The same question the gateway answers at /metrics. */
app.get('/metrics', (context) => {
  const { user, system } = process.cpuUsage();
  return context.text(`process_cpu_seconds_total ${(user + system) / 1e6}\n`);
});
const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server;
await once(server, 'listening');
process.send?.({ port: (server.address() as AddressInfo).port });
process.on('disconnect', () => process.exit(0));
