import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export interface Readiness {
  ready: boolean;
  /** Why not, in words for an operator; empty when ready. */
  reasons: string[];
}

export interface Probes {
  url: string;
  close(): Promise<void>;
}

/**
 * `/healthz` says that the process lives (never that Redis does, or a Redis outage would restart every
 * worker), `/readyz` that it does its work, `/metrics` what it has done.
 */
export function probeRoutes(options: { readiness: () => Readiness; metrics: Metrics }): Hono {
  const app = new Hono();
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', (c) => {
    const { ready, reasons } = options.readiness();
    return c.json({ ready, reasons }, ready ? 200 : 503);
  });
  app.get('/metrics', async (c) => {
    const { contentType, body } = await options.metrics.render(c.req.header('accept'));
    return c.body(body, 200, { 'Content-Type': contentType });
  });
  return app;
}

/** @throws the listen error (EADDRINUSE …) when the port cannot be had. */
export async function startProbes(options: {
  host: string;
  port: number;
  readiness: () => Readiness;
  metrics: Metrics;
  log: Logger;
}): Promise<Probes> {
  const app = probeRoutes(options);
  const { server, port } = await new Promise<{ server: ReturnType<typeof serve>; port: number }>(
    (resolve, reject) => {
      const starting = serve(
        { fetch: app.fetch, hostname: options.host, port: options.port },
        (info: AddressInfo) => resolve({ server: starting, port: info.port }),
      );
      starting.once('error', reject);
    },
  );
  const url = `http://${options.host}:${port}`;
  options.log.info({ url }, 'probes listen');
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
