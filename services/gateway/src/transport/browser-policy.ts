import { isIP } from 'node:net';
import type { GatewayContext } from '../exchange.ts';
import { gatewayProblem } from '../problem.ts';

/**
 * What web pages may do with this gateway. A browser sends whatever any page tells it to, from inside the network the
 * browser is in; two things keep pages of others out:
 *
 *   origin   CORS: no page of another origin reads an answer, unless `gateway.cors_origins` lists the origin. A form of
 *            another origin may still be sent without being asked about (an upload is a form), so what changes
 *            something and names a foreign `Origin` is refused, 403.
 *   host     DNS rebinding: a name of the page's own that now leads to 127.0.0.1 makes the page one of our origin. A
 *            gateway on loopback therefore answers only to names without a dot, to addresses, and to `gateway.hosts`; 421.
 *
 * Neither is asked of a request that brings a key: no page has one, and no browser adds one by itself.
 */
export interface BrowserPolicy {
  /** Of every answer to this request beside the usual ones; null: none. */
  headersFor(context: GatewayContext): Record<string, string> | null;
  /** More of them, for the answer to a preflight. */
  preflight(context: GatewayContext, allow: string): Record<string, string>;
  /** @throws HttpProblem 403 `origin_refused`, 421 `host_refused` */
  assertWelcome(context: GatewayContext): void;
}

export interface BrowserPolicyOptions {
  corsOrigins: readonly string[];
  hosts: readonly string[];
  /** Listens where only this machine reaches it. */
  isLoopback: boolean;
  /** Null: the connection is not encrypted, and the header must not be sent. */
  hstsMaxAgeS: number | null;
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
const preflightSeconds = 600;

export function createBrowserPolicy(options: BrowserPolicyOptions): BrowserPolicy {
  const { corsOrigins, isLoopback, hstsMaxAgeS } = options;
  const origins = new Set(corsOrigins);
  const hosts = new Set(options.hosts.map((host) => host.toLowerCase()));
  const always = {
    ...(hstsMaxAgeS !== null && { 'Strict-Transport-Security': `max-age=${hstsMaxAgeS}` }),
    // Or a shared cache would give one origin what was said to another.
    ...(origins.size > 0 && { Vary: 'Origin' }),
  };
  const usual = Object.keys(always).length === 0 ? null : always;
  const isListed = (origin: string) => origins.has('*') || origins.has(origin);

  return {
    headersFor(context) {
      const origin = context.req.header('origin');
      if (origin === undefined || !isListed(origin)) return usual;
      return {
        ...usual,
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Expose-Headers':
          'X-Request-Id, Server-Timing, X-Vortex-Cache, X-Vortex-Query-Id, Location, ETag, Retry-After',
      };
    },

    preflight(context, allow) {
      const origin = context.req.header('origin');
      if (origin === undefined || !isListed(origin)) return {};
      return {
        'Access-Control-Allow-Methods': allow,
        'Access-Control-Allow-Headers':
          'Authorization, Content-Type, Idempotency-Key, X-Request-Id, traceparent, tracestate, Range, If-None-Match, Last-Event-ID',
        'Access-Control-Max-Age': String(preflightSeconds),
      };
    },

    assertWelcome(context) {
      const { method } = context.req;
      const host = context.req.header('host');
      if (isLoopback && host !== undefined && !isOwnHost(hostname(host), hosts)) {
        throw gatewayProblem('host_refused', {
          detail: `This gateway listens on loopback and is not called ${JSON.stringify(host.slice(0, 200))}; the setting gateway.hosts lists names it answers to.`,
        });
      }
      const origin = context.req.header('origin');
      if (origin === undefined || safeMethods.has(method) || isListed(origin)) return;
      // `null` is the origin of sandboxed frames and files; it has no host.
      const itsHost = URL.parse(origin)?.host;
      const ours = [host, context.req.header('x-forwarded-host')];
      if (itsHost !== undefined && ours.includes(itsHost)) return;
      throw gatewayProblem('origin_refused', {
        detail: `Pages of ${origin.slice(0, 200)} may not change anything here; the setting gateway.cors_origins lists origins that may.`,
      });
    },
  };
}

/** Without port and brackets. */
function hostname(host: string): string {
  return (URL.parse(`http://${host}`)?.hostname ?? host).replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

/**
 * An address is no name that somebody else could make lead here, and a name without a dot is of this network, not one that
 * a page far away can bring with it.
 */
function isOwnHost(host: string, listed: ReadonlySet<string>): boolean {
  return !host.includes('.') || host.endsWith('.localhost') || isIP(host) !== 0 || listed.has(host);
}
