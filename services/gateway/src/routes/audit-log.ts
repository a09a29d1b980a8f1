import { z } from '@hono/zod-openapi';
import type { AdminActPage } from '@vortex/contracts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer } from '../exchange.ts';
import { readQuery } from '../middleware/query-parameters.ts';
import { jsonContent, schemas } from '../openapi-schemas.ts';
import { pageOf, pageParameters, placeOf } from '../paging.ts';

const pageQuery = z.strictObject(pageParameters);

/** `GET /api/audit-log`: who did what when; records/audit-trail.ts writes it. */
export function auditLogEndpoint(parts: Pick<GatewayParts, 'registry'>): Endpoint {
  return {
    method: 'get',
    path: '/api/audit-log',
    access: 'admin',
    tag: 'operations',
    summary: 'What administrators did, and who removed or changed something',
    request: { query: pageQuery },
    responses: {
      200: jsonContent(schemas.adminActPage, 'Newest first; kept for `registry.audit_log_days`.'),
    },
    problems: [422, 503],
    async handle(context, exchange) {
      const asked = readQuery(context, pageQuery);
      const found = await parts.registry.listAdminActs(exchange.caller.tenant, placeOf(asked));
      const { entries, next } = pageOf(found, asked, (act) => act.id);
      const acts = entries.map((act) => ({
        ...{ id: act.id, at: new Date(act.createdAt).toISOString(), tenant: act.tenant, key_id: act.keyId },
        ...{ act: act.act, target: act.target, status: act.status, request_id: act.requestId },
      }));
      return jsonAnswer(exchange, { acts, next } satisfies AdminActPage);
    },
  };
}
