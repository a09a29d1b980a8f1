import { type AuditReport, stages } from '@vortex/contracts';
import { assertOperator } from '../access/operators.ts';
import { assertCollection, awaitResult, type PreparedJob } from '../ask.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer } from '../exchange.ts';
import { jobHeaderOf } from '../job-header.ts';
import { readJson } from '../middleware/json-body.ts';
import { jsonBody, jsonContent, schemas } from '../openapi-schemas.ts';

/** Every row and every file is looked at, at most twice. */
const timeoutMs = 600_000;

/**
 * `POST /api/audit`: the retriever, who owns the store, compares it with the registry. A job like any other, so
 * that it waits its turn; a client that leaves cancels it.
 */
export function auditEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'post',
    path: '/api/audit',
    access: 'admin',
    tag: 'operations',
    summary: 'Compare stored rows and files with the registry',
    description:
      'Answers when the audit is done, which takes seconds to minutes. With `repair: true` rows and files that belong ' +
      'to nothing are removed; nothing that a document needs is touched. Without `collection` it looks at what all tenants ' +
      'share, too, and takes an admin of the tenant `default`.',
    request: jsonBody(schemas.auditRequest, { repair: false }),
    responses: { 200: jsonContent(schemas.auditReport, 'What there is, and what is wrong with it.') },
    problems: [400, 404, 413, 415, 422, 502, 503, 504],
    async handle(context, exchange) {
      const request = await readJson(context, schemas.auditRequest, parts.settings.max_body_bytes);
      const { caller } = exchange;
      if (request.collection === undefined) assertOperator(caller, 'An audit without a collection');
      await assertCollection(parts, caller, request.collection);
      const id = parts.questionIds.make(caller.tenant, 'aud');
      exchange.jobId = id;
      const deadlineAt = exchange.receivedAt + timeoutMs;
      const { list, lane } = stages.audit;
      const prepared: PreparedJob = {
        job: {
          ...{ list, lane, id, deadlineAt, cap: parts.settings.max_live_documents },
          envelope: { ...jobHeaderOf(exchange, id, deadlineAt), ...request },
        },
        timeoutMs,
      };
      const completion = await awaitResult<AuditReport>(parts, exchange, prepared, 'audit');
      const { clean, collections, originals, texts, problems, problem_count } = completion;
      const report: AuditReport = { clean, collections, originals, texts, problems, problem_count };
      return jsonAnswer(exchange, report);
    },
  };
}
