import { OpenAPIHono, z } from '@hono/zod-openapi';
import { createWaitingRoom } from './accept/waiting-room.ts';
import { createQuestionIds } from './access/question-id.ts';
import { createAnswerCache } from './answer-cache.ts';
import type { GatewayDependencies, GatewayParts } from './dependencies.ts';
import type { Endpoint } from './endpoint.ts';
import { type GatewayContext, type GatewayEnv, noContent, textAnswer } from './exchange.ts';
import { createRequestNotes } from './explain/note-request.ts';
import { type ExchangeObservers, isElsewhere, serveEndpoint } from './middleware/serve-endpoint.ts';
import { describe, openApiDocument } from './openapi-document.ts';
import { jsonContent } from './openapi-schemas.ts';
import { gatewayProblem, unknownRoute } from './problem.ts';
import { createQueryMeter } from './query-meter.ts';
import { createAuditTrail } from './records/audit-trail.ts';
import { auditEndpoint } from './routes/audit.ts';
import { auditLogEndpoint } from './routes/audit-log.ts';
import { chatCompletionsEndpoint } from './routes/chat-completions.ts';
import { collectionEndpoints } from './routes/collections.ts';
import { deadLetterEndpoints } from './routes/dead-letters.ts';
import { documentContentEndpoints } from './routes/document-contents.ts';
import { documentEndpoints } from './routes/documents.ts';
import { explainEndpoint } from './routes/explain.ts';
import { ingestEndpoint } from './routes/ingest.ts';
import { jobEventsEndpoint } from './routes/job-events.ts';
import { jobEndpoints } from './routes/jobs.ts';
import { keyEndpoints } from './routes/keys.ts';
import { modelEndpoints } from './routes/models.ts';
import { pageEndpoints } from './routes/pages.ts';
import { probeEndpoints } from './routes/probes.ts';
import { queryEndpoint } from './routes/query.ts';
import { replicaEndpoints } from './routes/replicas.ts';
import { searchEndpoint } from './routes/search.ts';
import { uploadEndpoints } from './routes/uploads.ts';
import { webhookEndpoints } from './routes/webhooks.ts';
import { createSharedJobs } from './shared-jobs.ts';
import { turnToWrite } from './transport/write-in-turn.ts';

export type GatewayApp = OpenAPIHono<GatewayEnv>;

/** The whole HTTP surface as a value: `app.request(...)` asks it without a socket. */
export function createApp(deps: GatewayDependencies): GatewayApp {
  const parts: GatewayParts = {
    ...deps,
    questionIds: createQuestionIds(deps.pepper),
    meter: createQueryMeter(deps.metrics),
    answers: createAnswerCache({ ...deps, ttlMs: deps.answerTtlMs }),
    notes: createRequestNotes({ ...deps, withQuestion: deps.explainQuestion }),
    sharedJobs: createSharedJobs(deps),
    waitingRoom: createWaitingRoom({ registry: deps.registry, most: deps.settings.max_live_documents }),
    adminPort: deps.settings.admin_port,
    audit: createAuditTrail({ ...deps, keepDays: deps.auditLogDays }),
  };
  const app: GatewayApp = new OpenAPIHono<GatewayEnv>();
  const endpoints: Endpoint[] = [
    queryEndpoint(parts),
    searchEndpoint(parts),
    explainEndpoint(parts),
    ingestEndpoint(parts),
    ...uploadEndpoints(parts),
    ...jobEndpoints(parts),
    jobEventsEndpoint(parts),
    ...documentEndpoints(parts),
    ...documentContentEndpoints(parts),
    ...collectionEndpoints(parts),
    ...webhookEndpoints(parts),
    ...keyEndpoints(parts),
    auditEndpoint(parts),
    auditLogEndpoint(parts),
    ...deadLetterEndpoints(parts),
    chatCompletionsEndpoint(parts),
    ...modelEndpoints(parts),
    ...probeEndpoints(parts),
    ...replicaEndpoints(parts),
    ...pageEndpoints(parts),
    documentEndpoint(() => openApiDocument(app)),
  ];
  for (const endpoint of endpoints) {
    app.openAPIRegistry.registerPath(describe(endpoint));
    app.on(
      endpoint.method.toUpperCase(),
      endpoint.path.replaceAll(/\{(.+?)\}/g, ':$1'),
      serveEndpoint(endpoint, parts),
    );
  }
  app.notFound(serveEndpoint(unmatched(endpoints, parts), parts));
  return app;
}

function documentEndpoint(make: () => object): Endpoint {
  let document: Uint8Array<ArrayBuffer> | undefined;
  return {
    method: 'get',
    path: '/openapi.json',
    access: 'open',
    tag: 'pages',
    summary: 'This document',
    responses: { 200: jsonContent(z.record(z.string(), z.unknown()), 'OpenAPI 3.1.') },
    async handle(_context, exchange) {
      document ??= new TextEncoder().encode(JSON.stringify(make()));
      await turnToWrite(document.byteLength);
      return textAnswer(exchange, document, 'application/json');
    },
  };
}

/** What no route took: another method of a known path (405, or 204 for OPTIONS), or an unknown path (404). */
function unmatched(
  endpoints: readonly Endpoint[],
  { browsers, adminPort }: Pick<ExchangeObservers, 'browsers' | 'adminPort'>,
): Pick<Endpoint, 'path' | 'access' | 'handle'> {
  const forms = endpoints.map(({ method, path, access }) => ({
    access,
    isLiteral: !path.includes('{'),
    methods: method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()],
    form: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{.+?\}/g, '[^/]+')}$`),
  }));
  return {
    path: 'unmatched',
    access: 'open',
    handle(context: GatewayContext, exchange) {
      const fitting = forms.filter(
        (one) => one.form.test(exchange.path) && !isElsewhere(context, one, adminPort),
      );
      // Of `/api/documents/upload` the document says POST, not what `/api/documents/{id}` would take.
      const literal = fitting.filter(({ isLiteral }) => isLiteral);
      const methods = (literal.length > 0 ? literal : fitting).flatMap((one) => one.methods);
      if (methods.length === 0) {
        throw unknownRoute(exchange);
      }
      const allow = [...methods, 'OPTIONS'].join(', ');
      if (context.req.method === 'OPTIONS') {
        return noContent(exchange, { Allow: allow, ...browsers.preflight(context, allow) });
      }
      throw gatewayProblem('method_not_allowed', {
        detail: `${exchange.path} takes ${allow}, not ${exchange.method}.`,
        headers: { Allow: allow },
      });
    },
  };
}
