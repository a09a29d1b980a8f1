import type { RouteConfig } from '@hono/zod-openapi';
import type { Access } from './access/caller.ts';
import type { Exchange, GatewayContext } from './exchange.ts';

/**
 * A route as a value: what OpenAPI says of it and what runs. `app.ts` registers both from this one
 * object, so the document cannot forget a route; the body schema in `request` is the one the handler parses
 * with (`readJson`). zod-openapi's own validators are not used: they read the body before its size is
 * known, decode it leniently, and cost a cloned request.
 */
export interface Endpoint {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** Parameters as OpenAPI writes them: `/api/jobs/{id}`. */
  path: string;
  /** What its caller must be allowed; `serveEndpoint` asks before the route runs. */
  access: Access;
  tag: 'queries' | 'documents' | 'jobs' | 'webhooks' | 'keys' | 'openai' | 'operations' | 'pages';
  summary: string;
  description?: string;
  request?: RouteConfig['request'];
  responses: RouteConfig['responses'];
  /** Statuses answered with a problem document, beside the ones every route may answer. */
  problems?: readonly number[];
  /** A question or a search: the route has its key's limits asked itself, once it knows how long it may take. */
  asks?: boolean;
  /** Probes and scrapes come every few seconds: their log lines are on level debug. */
  quiet?: boolean;
  handle(context: GatewayContext, exchange: Exchange): Promise<Response> | Response;
}
