import { z } from '@hono/zod-openapi';
import {
  collectionName,
  type JobPage,
  type JobResponse,
  jobStatus,
  jobStatusResponse,
} from '@vortex/contracts';
import { letWait } from '../accept/accept-documents.ts';
import { type Caller, mayUse, queryOrIngest } from '../access/caller.ts';
import { missingScope } from '../access/missing-scope.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, type GatewayContext, jsonAnswer } from '../exchange.ts';
import { awaitEnd } from '../jobs/await-end.ts';
import { cancelAtWorkers } from '../jobs/cancel-at-workers.ts';
import { hasEnded, jobOfRecord, viewJob } from '../jobs/job-view.ts';
import { readQuery } from '../middleware/query-parameters.ts';
import { jsonContent, pathId, schemas } from '../openapi-schemas.ts';
import { pageOf, pageParameters, placeOf } from '../paging.ts';
import { gatewayProblem, type HttpProblem } from '../problem.ts';

const its = pathId('`job_id` as the route that queued it gave it.');
const maxWaitMs = 60_000;

const waitQuery = z.strictObject({
  wait: z
    .string()
    .regex(/^\d{1,6}(?:ms|s)?$/, 'must be seconds or milliseconds, such as 30, 30s or 1500ms')
    .transform((text) => (text.endsWith('ms') ? 1 : 1000) * Number.parseInt(text, 10))
    .refine((ms) => ms <= maxWaitMs, 'must be at most 60s')
    .optional()
    .openapi({ type: 'string', example: '30s' }),
});

const listQuery = z.strictObject({
  state: jobStatus.optional(),
  collection: collectionName.optional(),
  document: z.string().min(1).max(200).optional(),
  ...pageParameters,
});

/** Jobs: read, waited for, listed, cancelled, run again. Their events have a route of their own (job-events.ts). */
export function jobEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'get',
      path: '/api/jobs',
      access: queryOrIngest,
      tag: 'jobs',
      summary: 'List documents’ jobs, newest first',
      description: 'Ended jobs are kept for 30 days. Asynchronous questions are not listed.',
      request: { query: listQuery },
      responses: { 200: jsonContent(schemas.jobPage, 'A page of jobs.') },
      problems: [422, 503],
      handle: (context, exchange) => listJobs(parts, context, exchange),
    },
    {
      method: 'get',
      path: '/api/jobs/{id}',
      access: queryOrIngest,
      tag: 'jobs',
      summary: 'How a document or an asynchronous question is getting on',
      description:
        'With `wait` the answer comes when the job has ended, at the latest after that time; 401 if the key has ended meanwhile.',
      request: { ...its, query: waitQuery },
      responses: { 200: jsonContent(schemas.job, 'Its status, with result or error once it has ended.') },
      problems: [404, 422, 503],
      handle: async (context, exchange) => jsonAnswer(exchange, await jobWhenAsked(parts, context, exchange)),
    },
    {
      method: 'get',
      path: '/api/jobs/{id}/status',
      access: queryOrIngest,
      tag: 'jobs',
      summary: 'The same in short',
      request: { ...its, query: waitQuery },
      responses: { 200: jsonContent(schemas.jobStatus, 'Status, progress and error.') },
      problems: [404, 422, 503],
      handle: async (context, exchange) =>
        jsonAnswer(exchange, jobStatusResponse.parse(await jobWhenAsked(parts, context, exchange))),
    },
    {
      method: 'post',
      path: '/api/jobs/{id}/cancel',
      access: queryOrIngest,
      tag: 'jobs',
      summary: 'Cancel a job',
      description: 'The job says `cancelled` once its work has stopped and what it stored is gone.',
      request: its,
      responses: { 202: jsonContent(schemas.cancelAccepted, 'It will end.') },
      problems: [404, 409, 503],
      handle: (context, exchange) => cancelJob(parts, context, exchange),
    },
    {
      method: 'delete',
      path: '/api/jobs/{id}',
      access: queryOrIngest,
      tag: 'jobs',
      summary: 'The same as POST /api/jobs/{id}/cancel',
      description:
        'Also of a question that its client waits for: that client is answered with the problem `cancelled`. What a generator is making of it is broken off.',
      request: its,
      responses: { 202: jsonContent(schemas.cancelAccepted, 'It will end.') },
      problems: [404, 409, 503],
      handle: (context, exchange) => cancelJob(parts, context, exchange),
    },
    {
      method: 'post',
      path: '/api/jobs/{id}/retry',
      access: queryOrIngest,
      tag: 'jobs',
      summary: 'Run a failed or cancelled document’s job again',
      request: its,
      responses: { 202: jsonContent(schemas.cancelAccepted, 'Queued again, under the same id.') },
      problems: [404, 409, 503],
      handle: (context, exchange) => retryJob(parts, context, exchange),
    },
  ];
}

async function listJobs(parts: GatewayParts, context: GatewayContext, exchange: Exchange): Promise<Response> {
  const { state, collection, document, ...asked } = readQuery(context, listQuery);
  const { tenant, collections } = exchange.caller;
  const found = await parts.registry.listJobs(tenant, {
    ...placeOf(asked),
    ...(collections !== null && { collections }),
    ...(state !== undefined && { status: state }),
    ...(collection !== undefined && { collection }),
    ...(document !== undefined && { documentId: document }),
  });
  const { entries, next } = pageOf(found, asked, ({ id }) => id);
  return jsonAnswer(exchange, { jobs: entries.map(jobOfRecord), next } satisfies JobPage);
}

async function jobWhenAsked(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<JobResponse> {
  const { wait } = readQuery(context, waitQuery);
  const id = context.req.param('id') ?? '';
  const { caller } = exchange;
  const view = await viewJob(parts, caller, id);
  if (view === null) throw noSuchJob();
  if (wait === undefined || wait === 0 || hasEnded(view.job)) return view.job;
  await awaitEnd(parts.watch, { tenant: caller.tenant, id }, { withinMs: wait, signal: exchange.clientGone });
  await parts.gatekeeper.assertHolds(caller);
  // What is read last is at least as new as the end that was told.
  return (await viewJob(parts, caller, id))?.job ?? view.job;
}

async function cancelJob(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const { registry, submitter } = parts;
  const { caller } = exchange;
  const id = context.req.param('id') ?? '';
  exchange.jobId = id;
  const view = await viewJob(parts, caller, id);
  if (view === null) await cancelQuestion(parts, caller, id);
  else {
    assertMayChange(caller, view.job);
    const outcome = view.source === 'registry' ? await registry.cancelJob(caller.tenant, id) : 'unknown';
    if (outcome === 'over' || hasEnded(view.job)) throw jobEnded();
    if (outcome === 'cancelling') await cancelAtWorkers(parts, [id]);
    // In Redis alone, so there the cancellation has to arrive.
    else await submitter.cancel(id);
  }
  const message = 'The job is being cancelled; it says so itself once its work has stopped.';
  return accepted(parts, exchange, id, message);
}

/** One that its client waits for: it is shown nowhere, but it is in the chain, and its id says whose it is. */
async function cancelQuestion(parts: GatewayParts, caller: Caller, id: string): Promise<void> {
  const [isLive] = await parts.submitter.areLive('interactive', [id]);
  const isTheirs = parts.questionIds.isOf(caller.tenant, id) && caller.collections === null;
  if (isLive !== true || !isTheirs) throw noSuchJob();
  if (!mayUse(caller, 'query')) throw missingScope('query');
  await parts.submitter.cancel(id);
}

/** Who may only ask does not end what others bring in, and the other way round. @throws HttpProblem 403 */
function assertMayChange(caller: Caller, { type }: JobResponse): void {
  const scope = type === 'query' ? 'query' : 'ingest';
  if (!mayUse(caller, scope)) throw missingScope(scope);
}

const notRetryable = {
  not_ended: 'It has not ended; there is nothing to repeat yet.',
  completed: 'It has completed; there is nothing to repeat.',
  gone: 'Its document was deleted; upload it again.',
  overtaken: 'A newer version of its document was uploaded since.',
} as const;

async function retryJob(parts: GatewayParts, context: GatewayContext, exchange: Exchange): Promise<Response> {
  const { registry, submitter, log } = parts;
  const { caller } = exchange;
  const id = context.req.param('id') ?? '';
  exchange.jobId = id;
  const view = await viewJob(parts, caller, id);
  if (view === null) throw noSuchJob();
  assertMayChange(caller, view.job);
  const outcome = await registry.reopenJob(caller.tenant, id);
  if (outcome === 'unknown') {
    throw gatewayProblem('job_not_retryable', {
      detail: 'Only jobs of documents are run again, once a worker had them. Send the request itself again.',
    });
  }
  if (outcome !== 'reopened') throw gatewayProblem('job_not_retryable', { detail: notRetryable[outcome] });
  // Or a worker that starts within ten minutes of the cancellation would still drop it.
  const queued = submitter.uncancel(id).then(() => letWait(parts, caller.tenant, [id]));
  await queued.catch((error: unknown) => {
    log.warn(
      { err: error, job_id: id },
      'a job that runs again is not in the queue yet; the sweeper puts it there',
    );
  });
  return accepted(parts, exchange, id, 'The job is queued again.');
}

async function accepted(
  parts: GatewayParts,
  exchange: Exchange,
  id: string,
  message: string,
): Promise<Response> {
  const status = (await viewJob(parts, exchange.caller, id))?.job.status ?? 'processing';
  const statusUrl = `/api/jobs/${id}`;
  const answer = { job_id: id, status, message, status_url: statusUrl };
  return jsonAnswer(exchange, answer, 202, { Location: statusUrl });
}

export function noSuchJob(): HttpProblem {
  return gatewayProblem('not_found', {
    detail:
      'There is no such job, or it was forgotten: documents’ jobs are kept 30 days, questions’ an hour.',
  });
}

function jobEnded(): HttpProblem {
  return gatewayProblem('job_ended', { detail: 'The job has ended; there is nothing to cancel.' });
}
