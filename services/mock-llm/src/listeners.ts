import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Bindings } from './app.ts';

export interface Listener {
  url: string;
  /** Takes no new request; those under way may finish until `budgetMs` have passed or `hurry` fires, then are cut. */
  close(budgetMs?: number, hurry?: AbortSignal): Promise<void>;
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
        resolve({
          url: `http://${host}:${address.port}`,
          close: (budgetMs = 0, hurry) => close(server, budgetMs, hurry),
        });
      },
    );
    server.once('error', reject);
  });
}

function close(server: ServerType, budgetMs: number, hurry: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const cut = () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
    };
    const late = setTimeout(cut, budgetMs);
    hurry?.addEventListener('abort', cut);
    // A connection falls idle when its answer ends.
    const sweep = setInterval(() => {
      if ('closeIdleConnections' in server) server.closeIdleConnections();
    }, 25);
    server.close(() => {
      clearTimeout(late);
      clearInterval(sweep);
      hurry?.removeEventListener('abort', cut);
      resolve();
    });
    if (budgetMs === 0) cut();
  });
}
