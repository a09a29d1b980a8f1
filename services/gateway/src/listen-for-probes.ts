import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { openCaller } from './access/caller.ts';
import type { GatewayApp } from './app.ts';

const paths = ['/healthz', '/readyz', '/metrics'] as const;

/**
 * Gateways that share a port cannot be asked one by one there: the system gives each connection to any of
 * them. So each has its probes and metrics on a port of its own as well, until the end of its drain. It asks for no key:
 * it is on this machine only, or in a network of whoever runs it (Prometheus in containers).
 * @throws the listen error (EADDRINUSE …) when the port cannot be had.
 */
export async function listenForProbes(
  app: GatewayApp,
  { host: hostname, port }: { host: string; port: number },
): Promise<{ url: string; close(): Promise<void> }> {
  const probes = new Hono();
  for (const path of paths)
    probes.get(path, (context) =>
      app.request(path, { signal: context.req.raw.signal }, { caller: openCaller }),
    );
  const { server, bound } = await new Promise<{ server: ReturnType<typeof serve>; bound: number }>(
    (resolve, reject) => {
      const starting = serve({ fetch: probes.fetch, hostname, port }, (info: AddressInfo) =>
        resolve({ server: starting, bound: info.port }),
      );
      starting.once('error', reject);
    },
  );
  return {
    url: `http://${hostname}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
