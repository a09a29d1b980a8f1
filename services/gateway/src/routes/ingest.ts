import { defaultDeadlineMs, newId, stages } from '@vortex/contracts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type GatewayContext, jsonAnswer } from '../exchange.ts';
import { jobHeaderOf } from '../job-header.ts';
import { readJsonBytes } from '../middleware/json-body.ts';
import { jsonBody, jsonContent, schemas } from '../openapi-schemas.ts';

/**
 * `POST /ingest`: the light way in. The text travels in the envelope, so until a worker takes it, it is as
 * durable as Redis' append-only file. Nothing else happens here: the worker makes ids, collection and chunks.
 */
export function ingestEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'post',
    path: '/ingest',
    tag: 'documents',
    summary: 'Hand in the text of a document',
    description:
      'Answers as soon as the document is queued. The same `document_id` in the same collection again replaces the ' +
      'document once the new version is searchable. The collection is created when missing.',
    request: jsonBody(schemas.ingestRequest, {
      user_id: 'me',
      document_id: 'warranty',
      content: 'The warranty lasts two years from delivery.',
      collection: 'handbook',
    }),
    responses: {
      202: jsonContent(schemas.ingestResponse, 'Queued; ask for `job_id` at `/api/jobs/{id}`.'),
    },
    problems: [400, 413, 415, 422, 503],
    async handle(context, exchange) {
      const { payload, bytes } = await readDocument(context, parts.settings.max_ingest_bytes);
      const id = newId('job');
      exchange.jobId = id;
      const deadlineAt = exchange.receivedAt + defaultDeadlineMs.low;
      await parts.submitter.enqueue({
        list: stages.ingest.list,
        lane: stages.ingest.lane,
        id,
        deadlineAt,
        envelope: jobHeaderOf(exchange, id, deadlineAt),
        // As it came: the schema knows no header field and changes nothing, so it need not be written anew.
        body: bytes,
        cap: parts.settings.max_live_documents,
        track: { type: 'ingest', payload, maxRetries: stages.ingest.maxAttempts - 1 },
      });
      const accepted = {
        status: 'accepted' as const,
        message: `The document is queued; its progress is at /api/jobs/${id}.`,
        data: payload.document_id,
        job_id: id,
      };
      return jsonAnswer(exchange, accepted, 202, { Location: `/api/jobs/${id}` });
    },
  };
}

/** Apart, so that nothing holds on to the content as text while Redis is asked. */
async function readDocument(context: GatewayContext, maxBytes: number) {
  const { value, bytes } = await readJsonBytes(context, schemas.ingestRequest, maxBytes);
  const { content: _content, ...payload } = value;
  return { payload, bytes };
}
