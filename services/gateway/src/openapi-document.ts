import { isDeepStrictEqual } from 'node:util';
import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi';
import type { Access } from './access/caller.ts';
import type { Endpoint } from './endpoint.ts';
import type { GatewayEnv } from './exchange.ts';
import { schemas } from './openapi-schemas.ts';

const problemMeanings: Record<number, string> = {
  400: 'Not JSON, or not readable.',
  401: 'No key was sent, or none that is valid; `WWW-Authenticate` says how to send one.',
  403: 'The key lacks a scope that this route asks for.',
  404: 'Unknown id, collection or model.',
  405: 'The route does not take this method; `Allow` says which it does.',
  409: 'The collection was built with another embedding model.',
  413: 'The body is larger than this route takes.',
  414: 'The address is longer than `gateway.max_url_bytes`.',
  415: 'The body is not `application/json`.',
  416: 'The content has no such range; `Content-Range` says how long it is.',
  422: 'A field is not as it must be; `errors` points to it.',
  429: 'A limit of the key: `rate_limited`, `quota_exceeded` or `too_many_concurrent`; `Retry-After` says when to come back.',
  500: 'Something unexpected; the log has it under `request_id`.',
  502: 'The language model, or every attempt, failed, or the result in Redis is none.',
  503: 'The queue is full or out of reach; `Retry-After` says when to come back.',
  504: 'The deadline passed; `timings_ms` says how far the question came.',
};

/** On every answer to a key with limits. */
const limitHeaders = {
  'Retry-After': {
    description: 'Seconds; absent where only deleting helps.',
    schema: { type: 'integer' as const },
  },
  'RateLimit-Policy': {
    description:
      'The limits of the key, such as `"requests";q=60;w=60`: quota, unit (`qu`, else requests), seconds.',
    schema: { type: 'string' as const },
  },
  RateLimit: {
    description:
      'What is left of them, such as `"requests";r=12;t=3`: how many, and the seconds until there are more.',
    schema: { type: 'string' as const },
  },
};

const tags = [
  { name: 'queries', description: 'Questions and searches.' },
  { name: 'documents', description: 'Documents, their texts and collections.' },
  { name: 'jobs', description: 'What was queued.' },
  { name: 'webhooks', description: 'Who is told of which events, and what was sent.' },
  { name: 'keys', description: 'Who may come in, and what for.' },
  { name: 'openai', description: 'For clients that speak OpenAI’s API. Errors have its shape.' },
  { name: 'operations', description: 'Probes and metrics.' },
  { name: 'pages', description: 'Pages for people, and this document.' },
];

/** What OpenAPI says of an endpoint: its own words, and the problems it and every route can answer with. */
export function describe(endpoint: Endpoint): RouteConfig {
  const responses: RouteConfig['responses'] = { ...endpoint.responses };
  const ofAccess = endpoint.access === 'open' ? [] : [401, 403, 429, 503];
  const ofAddress = endpoint.request?.query === undefined ? [] : [414];
  for (const status of [...(endpoint.problems ?? []), ...ofAccess, ...ofAddress, 500]) {
    // A probe's 503 is an answer, not a problem.
    responses[status] ??= {
      description: problemMeanings[status] ?? 'A problem.',
      content:
        endpoint.tag === 'openai'
          ? { 'application/json': { schema: schemas.openAiError } }
          : { 'application/problem+json': { schema: schemas.problem } },
      ...(status === 429 && { headers: limitHeaders }),
    };
  }
  return {
    method: endpoint.method,
    path: endpoint.path,
    operationId: operationId(endpoint),
    tags: [endpoint.tag],
    summary: endpoint.summary,
    ...(endpoint.description !== undefined && { description: endpoint.description }),
    ...(endpoint.request !== undefined && { request: endpoint.request }),
    responses,
    security: securityOf(endpoint.access),
  };
}

const scheme = 'apiKey';

/** An empty list: no key. Several entries: any one of them; the scope is the role that OpenAPI 3.1 lets a scheme name. */
function securityOf(access: Access): Record<string, string[]>[] {
  if (access === 'open') return [];
  return (typeof access === 'string' ? [access] : access).map((scope) => ({ [scheme]: [scope] }));
}

function operationId({ method, path }: Endpoint): string {
  const words = path.split(/[^a-zA-Z0-9]+/).filter((word) => word !== '');
  return [method, ...words]
    .map((word, at) => (at === 0 ? word : word[0]?.toUpperCase() + word.slice(1)))
    .join('');
}

/** Of the API, not of the program: the document is open to everybody, and /health tells operators what runs. */
const apiVersion = '1';

/** `openapi.json`, made once: the routes do not change while the process lives. */
export function openApiDocument(app: OpenAPIHono<GatewayEnv>): object {
  app.openAPIRegistry.registerComponent('securitySchemes', scheme, {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'vx_<id>_<secret>',
    description:
      'A key as `POST /api/keys` gave it. Asked for as soon as the instance has a key; what each operation asks for is ' +
      'its scope: `query`, `ingest` or `admin`.',
  });
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Vortex',
      version: apiVersion,
      description: 'Questions about your documents, answered with citations.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: '/' }],
    tags,
  });
  return corrected(document) as object;
}

/**
 * Two things the generator says otherwise than they are: a tuple without its length, and the schema of an event stream,
 * which would be that of one event, and a string is none. A tuple of like parts is said as a list of so many, which
 * readers of 3.0 understand as well: Schemathesis 4.32 checks no answer that has `prefixItems`.
 */
function corrected(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(corrected);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).flatMap(([name, value]): [string, unknown][] => {
    if (name === 'text/event-stream') return [[name, {}]];
    if (name !== 'prefixItems' || !Array.isArray(value)) return [[name, corrected(value)]];
    const [first, ...others] = value.map(corrected);
    const areAlike = others.every((other) => isDeepStrictEqual(other, first));
    return [
      areAlike ? ['items', first] : ['prefixItems', [first, ...others]],
      ['minItems', value.length],
      ['maxItems', value.length],
    ];
  });
  return Object.fromEntries(entries);
}
