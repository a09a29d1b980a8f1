import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Bindings } from './app.ts';

export interface Listener {
  url: string;
  /** Ends at once; requests that hang are cut. */
  close(): Promise<void>;
}

// Longer than any client keeps an idle connection: the client closes first, so no request is sent into a
// connection that the server is just closing.
const keepAliveTimeoutMs = 75_000;

/** @throws the listen error (EADDRINUSE …) when the port cannot be had. */
export function listen(app: Hono<{ Bindings: Bindings }>, host: string, port: number): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server: ServerType = serve(
      { fetch: app.fetch, hostname: host, port, serverOptions: { keepAliveTimeout: keepAliveTimeoutMs } },
      (address: AddressInfo) => {
        resolve({ url: `http://${host}:${address.port}`, close: () => close(server) });
      },
    );
    server.once('error', reject);
  });
}

function close(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
}
