import { z } from '@hono/zod-openapi';
import { queryOrIngest } from '../access/caller.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { eventStream, type SendEvent } from '../event-stream.ts';
import { type Exchange, type GatewayContext, noContent } from '../exchange.ts';
import { eventOfHash, hasEnded, type JobView, viewJob } from '../jobs/job-view.ts';
import { leastTime, type WatchedJob } from '../jobs/job-watch.ts';
import { problemFor } from '../middleware/problem-answer.ts';
import { readQuery } from '../middleware/query-parameters.ts';
import { pathId } from '../openapi-schemas.ts';
import { gatewayProblem, internalProblem, problemOf } from '../problem.ts';
import { noSuchJob } from './jobs.ts';

const askEveryMs = 500;
const eventNumber = z.string().regex(/^\d{1,16}$/, 'must be the id of an event');
const eventsQuery = z.strictObject({ last_event_id: eventNumber.optional() });

/** `GET /api/jobs/{id}/events`: a job as it goes. Who was cut off comes back with the last id it has. */
export function jobEventsEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'get',
    path: '/api/jobs/{id}/events',
    access: queryOrIngest,
    tag: 'jobs',
    summary: 'Follow a job as server-sent events',
    description:
      'Events `progress` and, last, `end`; their `data` is the job’s status with a `sequence`, which is also the id. ' +
      'The first event is the job as it is; with `Last-Event-ID` (or `last_event_id`) it is the one after that. ' +
      'Event `error` with a problem: the key has ended, and the stream with it. ' +
      '204: the job has ended and its end was told.',
    request: {
      ...pathId('`job_id` as the route that queued it gave it.'),
      query: eventsQuery,
      headers: z.object({ 'Last-Event-ID': z.string().optional() }),
    },
    responses: {
      200: {
        description: 'The events.',
        content: { 'text/event-stream': { schema: z.string() } },
      },
      204: { description: 'There will be no event after that one.' },
    },
    problems: [404, 422, 503],
    async handle(context, exchange) {
      const id = context.req.param('id') ?? '';
      exchange.jobId = id;
      const after = lastEventOf(context);
      const { caller } = exchange;
      const { tenant } = caller;
      const view = await viewJob(parts, caller, id);
      if (view === null) throw noSuchJob();
      // An EventSource that is told 204 does not come back.
      if (after !== null && (await isTold(parts, tenant, view, after))) return noContent(exchange, {});
      return eventStream(exchange, (send) => tellEvents(parts, exchange, { tenant, id }, after, send), {
        numbered: true,
      });
    },
  };
}

/**
 * Tells the job's events until its last one, or until the caller leaves. It may take hours, so before each, and every
 * half second in between, the caller's key is asked for; when it no longer holds, an `error` is the last that is told.
 */
async function tellEvents(
  { gatekeeper, watch }: GatewayParts,
  exchange: Exchange,
  job: WatchedJob,
  after: number | null,
  send: SendEvent,
): Promise<void> {
  const over = Promise.withResolvers<void>();
  let isOver = false;
  let told = after ?? 0;
  let telling = Promise.resolve();
  // One after the other: a key in doubt is read first, and what comes meanwhile waits behind it.
  const tell = (what: () => void) => {
    telling = telling.then(async () => {
      if (isOver) return;
      try {
        await gatekeeper.assertHolds(exchange.caller);
        what();
      } catch (error) {
        const failure = problemOf(error) ?? internalProblem();
        send(JSON.stringify(problemFor(failure, exchange)), 'error', String(told));
        end();
      }
    });
  };
  const end = () => {
    isOver = true;
    over.resolve();
  };
  const leave = watch.follow(job, after ?? 'now', {
    onEvent: (event, last) =>
      tell(() => {
        told = event.sequence;
        send(JSON.stringify(event), last ? 'end' : 'progress', String(told));
        if (last) end();
      }),
    onGone: () => tell(end),
  });
  const asking = setInterval(() => tell(() => undefined), askEveryMs);
  const gone = exchange.clientGone;
  if (gone.aborted) end();
  else gone.addEventListener('abort', end, { once: true });
  await over.promise;
  clearInterval(asking);
  leave();
}

function lastEventOf(context: GatewayContext): number | null {
  const asked = readQuery(context, eventsQuery).last_event_id;
  const header = context.req.header('last-event-id');
  if (header !== undefined && header !== '' && !eventNumber.safeParse(header).success) {
    throw gatewayProblem('validation', { detail: 'Last-Event-ID must be the id of an event of this job.' });
  }
  // The header is what the browser's own reconnection sends; the parameter is from the page's first call.
  const last = header === undefined || header === '' ? asked : header;
  return last === undefined ? null : Number(last);
}

async function isTold(
  parts: GatewayParts,
  tenant: string,
  { job, source }: JobView,
  after: number,
): Promise<boolean> {
  if (!hasEnded(job)) return false;
  if (source === 'redis') return eventOfHash(job).sequence <= after;
  // The number of a state that was told while the job stood in Redis alone: a time.
  if (after >= leastTime) return Date.parse(job.completed_at ?? '') <= after;
  return (await parts.registry.jobEvents(tenant, job.id, after, 1)).length === 0;
}
