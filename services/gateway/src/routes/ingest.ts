import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { defaultCollection, defaultDeadlineMs, newId, stages } from '@vortex/contracts';
import { acceptCountedText } from '../accept/accept-counted-text.ts';
import { assertMayFill } from '../access/collection-access.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, type GatewayContext, jsonAnswer } from '../exchange.ts';
import { idempotencyConflict, idempotencyKeyOf, idempotencyOf } from '../idempotency.ts';
import { jobHeaderOf } from '../job-header.ts';
import { viewJob } from '../jobs/job-view.ts';
import { storedBounds } from '../limits/key-bounds.ts';
import { readJsonBytes } from '../middleware/json-body.ts';
import { idempotencyHeader, jsonBody, jsonContent, schemas } from '../openapi-schemas.ts';

/**
 * `POST /ingest`: the light way in. The text travels in the envelope, so until a worker takes it, it is as
 * durable as Redis' append-only file. Nothing else happens here: the worker makes ids, collection and chunks.
 */
export function ingestEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'post',
    path: '/ingest',
    access: 'ingest',
    tag: 'documents',
    summary: 'Hand in the text of a document',
    description:
      'Answers as soon as the document is queued. The same `document_id` in the same collection again replaces the ' +
      'document once the new version is searchable. The collection is created when missing.',
    request: {
      headers: idempotencyHeader,
      ...jsonBody(schemas.ingestRequest, {
        user_id: 'me',
        document_id: 'warranty',
        content: 'The warranty lasts two years from delivery.',
        collection: 'handbook',
      }),
    },
    responses: {
      202: jsonContent(schemas.ingestResponse, 'Queued; ask for `job_id` at `/api/jobs/{id}`.'),
    },
    problems: [400, 409, 413, 415, 422, 503],
    async handle(context, exchange) {
      const key = idempotencyKeyOf(context);
      const { payload, bytes } = await readDocument(context, parts.settings.max_ingest_bytes);
      const { caller } = exchange;
      const { tenant } = caller;
      const { collection = defaultCollection } = payload;
      assertMayFill(caller, collection);
      if (storedBounds(caller) !== undefined) {
        const idempotency = key === null ? null : idempotencyOfBody(key, bytes);
        const counted = await acceptCountedText(parts, exchange, bytes, idempotency);
        if (counted !== null) return answerAccepted(exchange, payload.document_id, counted);
      }
      const made = newId('job');
      const claim = key === null ? null : await claimIngest(parts, tenant, key, bytes, made);
      const id = claim?.jobId ?? made;
      exchange.jobId = id;
      // A gateway that was killed between key and queue has queued nothing: what nobody knows is queued now.
      if (claim?.repeated === true && (await viewJob(parts, caller, id)) !== null) {
        return answerAccepted(exchange, payload.document_id, id);
      }
      const deadlineAt = exchange.receivedAt + defaultDeadlineMs.low;
      try {
        await parts.submitter.enqueue({
          list: stages.ingest.list,
          lane: stages.ingest.lane,
          id,
          deadlineAt,
          envelope: jobHeaderOf(exchange, id, deadlineAt),
          // As it came: the schema knows no header field, and what it changes of a title the worker's does again.
          body: bytes,
          cap: parts.settings.max_live_documents,
          track: { type: 'ingest', tenant, collection, payload, maxRetries: stages.ingest.maxAttempts - 1 },
        });
      } catch (error) {
        if (key !== null && claim?.repeated === false) {
          await parts.registry.releaseIdempotencyKey(tenant, key);
        }
        throw error;
      }
      return answerAccepted(exchange, payload.document_id, id);
    },
  };
}

/** Apart, so that nothing holds on to the content as text while Redis is asked. */
async function readDocument(context: GatewayContext, maxBytes: number) {
  const { value, bytes } = await readJsonBytes(context, schemas.ingestRequest, maxBytes);
  const { content: _content, ...payload } = value;
  return { payload, bytes };
}

/** What was accepted under the key before is answered again; a new key is noted with the job it is to name. */
async function claimIngest(
  parts: GatewayParts,
  tenant: string,
  key: string,
  body: Buffer,
  jobId: string,
): Promise<{ jobId: string; repeated: boolean }> {
  const claim = await parts.registry.claimIdempotencyKey({
    ...idempotencyOfBody(key, body),
    tenant,
    response: { job_id: jobId },
  });
  if (claim.outcome === 'conflict') throw idempotencyConflict();
  if (claim.outcome === 'new') return { jobId, repeated: false };
  return { jobId: z.object({ job_id: z.string() }).parse(claim.response).job_id, repeated: true };
}

function idempotencyOfBody(key: string, body: Buffer) {
  return idempotencyOf(key, ['ingest', createHash('sha256').update(body).digest('hex')]);
}

function answerAccepted(exchange: Exchange, documentId: string, id: string): Response {
  const accepted = {
    status: 'accepted' as const,
    message: `The document is queued; its progress is at /api/jobs/${id}.`,
    data: documentId,
    job_id: id,
  };
  return jsonAnswer(exchange, accepted, 202, { Location: `/api/jobs/${id}` });
}
