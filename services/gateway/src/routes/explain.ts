import { setTimeout as delay } from 'node:timers/promises';
import { jobId, type QueryExplanation } from '@vortex/contracts';
import type { Caller } from '../access/caller.ts';
import { maySee } from '../access/collection-access.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer } from '../exchange.ts';
import { explainQuery } from '../explain/explain-query.ts';
import { jsonContent, pathId, schemas } from '../openapi-schemas.ts';
import { gatewayProblem } from '../problem.ts';

/** Parts are written a tenth of a second after the reply: who asks at once is not told of a story with holes. */
const looks = 6;
const betweenLooksMs = 60;

/** `GET /api/queries/{id}/explain`: how a past answer came about. */
export function explainEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'get',
    path: '/api/queries/{id}/explain',
    access: 'query',
    tag: 'queries',
    summary: 'How the answer to a past query came about',
    description:
      'Where its time went, which replicas tried, how every candidate ranked and why it was dropped, what the prompt ' +
      'had room for, which citations were checked and removed, which caches were asked. Kept for 24 hours in the cache ' +
      'Redis, as far as there is room (`explain.*` in the configuration); without one there are no stories. ' +
      'Works for answers, streams, searches and asynchronous queries, by the `id` of their answer.',
    request: pathId('`id` of an answer, or `job_id` of an asynchronous query.'),
    responses: {
      200: jsonContent(schemas.queryExplanation, 'Its story; `missing` names what was lost of it.'),
    },
    problems: [404, 503],
    async handle(context, exchange) {
      const id = context.req.param('id') ?? '';
      if (!parts.explain.isOn()) throw notFound(whyNone(parts));
      const { caller } = exchange;
      const story = jobId.safeParse(id).success ? await storyOf(parts, caller, id) : null;
      if (story === null)
        throw notFound(
          'No story is kept of a query of this id: it is unknown, too old, or the cache had no room.',
        );
      return jsonAnswer(exchange, story);
    },
  };
}

/** A key that is for some collections hears of questions that were asked of these, and answered from these. */
function mayHear(caller: Caller, { request, retrieval }: QueryExplanation): boolean {
  if (caller.collections === null) return true;
  const isAsked = request?.collection != null && maySee(caller, request.collection);
  return isAsked && (retrieval === null || maySee(caller, retrieval.collection));
}

/** Null: there is none, or the caller may not hear it, which takes as long to say. */
async function storyOf(
  { explain }: GatewayParts,
  caller: Caller,
  id: string,
): Promise<QueryExplanation | null> {
  let story: QueryExplanation | null = null;
  let isAway = false;
  for (let look = 0; look < looks; look += 1) {
    if (look > 0) await delay(betweenLooksMs);
    const kept = await explain.read({ id, tenant: caller.tenant });
    // The cache's patience is that of a question: on a busy machine one look is late now and then.
    isAway = kept === 'unavailable';
    if (kept === 'unavailable') continue;
    const told = kept === null ? null : explainQuery(id, kept);
    story = told !== null && mayHear(caller, told) ? told : null;
    if (story !== null && story.missing.length === 0) return story;
  }
  if (isAway && story === null) {
    throw gatewayProblem('explain_unavailable', {
      detail: 'The cache Redis, which keeps the stories of queries, does not answer.',
    });
  }
  return story;
}

function whyNone({ cache }: GatewayParts): string {
  return cache.isConfigured
    ? 'No stories of queries are kept here: explain.share is 0.'
    : 'No stories of queries are kept here: they are kept in the cache Redis, and none is configured (CACHE_REDIS_URL).';
}

function notFound(detail: string) {
  return gatewayProblem('not_found', { detail });
}
