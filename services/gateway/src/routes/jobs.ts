import { type JobResponse, jobResponse, jobStatus } from '@vortex/contracts';
import { QueueUnavailable } from '@vortex/queue';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer } from '../exchange.ts';
import { jsonContent, pathId, schemas } from '../openapi-schemas.ts';
import { gatewayProblem } from '../problem.ts';

/** `GET /api/jobs/{id}`: the hash `job:<id>`, kept by the scripts that move the job until an hour after its end. */
export function jobEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'get',
    path: '/api/jobs/{id}',
    tag: 'jobs',
    summary: 'How a document or an asynchronous question is getting on',
    request: pathId('`job_id` as `POST /ingest` or `POST /query` gave it.'),
    responses: { 200: jsonContent(schemas.job, 'Its status, with result or error once it has ended.') },
    problems: [404, 503],
    async handle(context, exchange) {
      const id = context.req.param('id') ?? '';
      const fields = await readHash(parts, id);
      if (fields === null) {
        throw gatewayProblem('not_found', {
          detail: 'There is no such job, or it ended more than an hour ago.',
        });
      }
      return jsonAnswer(exchange, jobFrom(id, fields));
    },
  };
}

async function readHash(parts: GatewayParts, id: string): Promise<Record<string, string> | null> {
  try {
    return await parts.inspector.jobStatus(id);
  } catch (error) {
    throw new QueueUnavailable('the job could not be read: Redis is down or slow', error);
  }
}

/** A hash knows only text: numbers, times and the result are brought back to what they were. */
function jobFrom(id: string, fields: Record<string, string>): JobResponse {
  const progress = Number(fields.progress ?? 0);
  return {
    id: fields.id ?? id,
    type: fields.type ?? 'query',
    status: jobStatus.safeParse(fields.status).data ?? 'processing',
    progress: Number.isFinite(progress) ? Math.min(100, Math.max(0, progress)) : 0,
    message: textOrNull(fields.message),
    result: objectOrNull(fields.result),
    error: textOrNull(fields.error),
    error_code: textOrNull(fields.error_code),
    created_at: timeOrNull(fields.created_at),
    updated_at: timeOrNull(fields.updated_at),
    started_at: timeOrNull(fields.started_at),
    completed_at: timeOrNull(fields.completed_at),
  };
}

function textOrNull(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}

/** Scripts write epoch milliseconds (Redis has no calendar); the API speaks RFC 3339. */
function timeOrNull(value: string | undefined): string | null {
  if (value === undefined || value === '') return null;
  const ms = Number(value);
  return Number.isFinite(ms) ? new Date(ms).toISOString() : value;
}

function objectOrNull(value: string | undefined): JobResponse['result'] {
  if (value === undefined || value === '') return null;
  try {
    return jobResponse.shape.result.safeParse(JSON.parse(value)).data ?? null;
  } catch {
    // Not JSON: no script of ours wrote it, and the status is worth showing without it.
    return null;
  }
}
