import { z } from '@hono/zod-openapi';
import {
  type DeadLetterPage,
  type DeadLettersDropped,
  deadQueue,
  deadStage,
  type StageName,
} from '@vortex/contracts';
import type { FoundLetter } from '@vortex/queue';
import { fits, type LetterFilter, pageOfLetters } from '../dead-letters/choose-letters.ts';
import { ownLetters } from '../dead-letters/own-letters.ts';
import { letterGone, redriveLetter } from '../dead-letters/redrive-letter.ts';
import { redriveMany } from '../dead-letters/redrive-many.ts';
import { letterOf, summaryOf } from '../dead-letters/show-letter.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, type GatewayContext, jsonAnswer, noContent } from '../exchange.ts';
import { fieldsOf, readJson } from '../middleware/json-body.ts';
import { readQuery } from '../middleware/query-parameters.ts';
import { jsonBody, jsonContent, pathId, schemas } from '../openapi-schemas.ts';
import { pageParameters } from '../paging.ts';
import { gatewayProblem } from '../problem.ts';

const tag = 'operations' as const;
const itsId = pathId('`id` as `GET /api/dead-letters` gave it; not its job’s.');

const queueParameter = z.string().max(200).openapi({ example: 'job:encoder_in' });
const narrowing = {
  stage: deadStage.optional(),
  code: z.string().min(1).max(100).optional(),
  before: z.iso.datetime({ offset: true }).optional(),
};

const listQuery = z.strictObject({
  queue: queueParameter.optional(),
  stage: narrowing.stage,
  code: narrowing.code,
  ...pageParameters,
});

const dropQuery = z.strictObject({ queue: queueParameter, code: narrowing.code, before: narrowing.before });

/** `/api/dead-letters…`: jobs that could not go on. What their letters say is the workers'; here they are mended. */
export function deadLetterEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'get',
      path: '/api/dead-letters',
      access: 'admin',
      tag,
      summary: 'List jobs that could not go on, newest first',
      description:
        'Each queue keeps its newest thousand, or 16 MiB of them. Of all queues when none is named.',
      request: { query: listQuery },
      responses: {
        200: jsonContent(schemas.deadLetterPage, 'A page of dead letters, without their raw bytes.'),
      },
      problems: [422, 503],
      handle: (context, exchange) => listLetters(ownParts(parts, exchange), context, exchange),
    },
    {
      method: 'get',
      path: '/api/dead-letters/{id}',
      access: 'admin',
      tag,
      summary: 'Show a dead letter with its raw bytes',
      request: itsId,
      responses: { 200: jsonContent(schemas.deadLetter, 'The letter, and whether it can be redriven.') },
      problems: [404, 503],
      handle: async (context, exchange) =>
        jsonAnswer(exchange, letterOf(await known(ownParts(parts, exchange), context))),
    },
    {
      method: 'post',
      path: '/api/dead-letters/{id}/redrive',
      access: 'admin',
      tag,
      summary: 'Put the job of a dead letter on its queue again',
      description:
        'The letter goes, and the job begins anew: first try, first delivery, its old end forgotten. A deadline that has ' +
        'passed is replaced by a new one, and the answer says so.',
      request: itsId,
      responses: { 200: jsonContent(schemas.redriven, 'The job is queued again.') },
      problems: [404, 409, 422, 503],
      async handle(context, exchange) {
        const own = ownParts(parts, exchange);
        const redriven = await redriveLetter(own, await known(own, context));
        exchange.jobId = redriven.job_id;
        return jsonAnswer(exchange, redriven);
      },
    },
    {
      method: 'post',
      path: '/api/dead-letters/redrive',
      access: 'admin',
      tag,
      summary: 'Put the jobs of many dead letters on their queues again',
      description:
        'Those that fit every condition given, oldest first, `rate_per_second` of them; answers when all are through, ' +
        'after 25 s at the latest, and then says how many remain.',
      request: jsonBody(schemas.redriveRequest, { queue: 'job:encoder_in', limit: 10, dry_run: true }),
      responses: { 200: jsonContent(schemas.deadLettersRedriven, 'What became of each.') },
      problems: [400, 413, 415, 422, 503],
      handle: (context, exchange) => redriveLetters(ownParts(parts, exchange), context, exchange),
    },
    {
      method: 'delete',
      path: '/api/dead-letters/{id}',
      access: 'admin',
      tag,
      summary: 'Throw a dead letter away',
      request: itsId,
      responses: { 204: { description: 'Gone.' } },
      problems: [404, 503],
      async handle(context, exchange) {
        const own = ownParts(parts, exchange);
        if (!(await own.deadLetters.drop(await known(own, context)))) throw letterGone();
        return noContent(exchange, {});
      },
    },
    {
      method: 'delete',
      path: '/api/dead-letters',
      access: 'admin',
      tag,
      summary: 'Throw the dead letters of a queue away',
      request: { query: dropQuery },
      responses: { 200: jsonContent(schemas.deadLettersDropped, 'How many there were.') },
      problems: [422, 503],
      handle: (context, exchange) => dropLetters(ownParts(parts, exchange), context, exchange),
    },
  ];
}

type OwnParts = GatewayParts & { tenant: string };

/** With the caller's dead letters in place of everybody's. */
function ownParts(parts: GatewayParts, { caller: { tenant } }: Exchange): OwnParts {
  return { ...parts, tenant, deadLetters: ownLetters(parts.deadLetters, parts.registry, tenant) };
}

async function listLetters(
  { deadLetters }: OwnParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const { queue, stage, code, after, limit } = readQuery(context, listQuery);
  const filter = filterOf({ queue, stage, code });
  const { letters, next } = await pageOfLetters(deadLetters, filter, { behind: after, limit });
  return jsonAnswer(exchange, { dead_letters: letters.map(summaryOf), next } satisfies DeadLetterPage);
}

async function redriveLetters(
  parts: OwnParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const request = await readJson(context, schemas.redriveRequest, parts.settings.max_body_bytes);
  const { queue, stage, code, ids, before, after, rate_per_second, limit, dry_run } = request;
  const report = await redriveMany(parts, {
    filter: {
      ...filterOf({ queue, stage, code }),
      ...(ids !== undefined && { ids: new Set(ids) }),
      ...(before !== undefined && { before: Date.parse(before) }),
      ...(after !== undefined && { after: Date.parse(after) }),
    },
    ratePerSecond: rate_per_second,
    limit,
    dryRun: dry_run,
    signal: exchange.clientGone,
  });
  return jsonAnswer(exchange, report);
}

async function dropLetters(
  { deadLetters }: OwnParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const { queue, code, before } = readQuery(context, dropQuery);
  const filter: LetterFilter = {
    ...filterOf({ queue, code }),
    ...(before !== undefined && { before: Date.parse(before) }),
  };
  const chosen: FoundLetter[] = [];
  for (const stage of filter.stages ?? [])
    for await (const found of deadLetters.newestFirst(stage)) if (fits(found, filter)) chosen.push(found);
  let dropped = 0;
  for (const found of chosen) if (await deadLetters.drop(found)) dropped += 1;
  return jsonAnswer(exchange, { dropped } satisfies DeadLettersDropped);
}

async function known({ deadLetters }: OwnParts, context: GatewayContext): Promise<FoundLetter> {
  const found = await deadLetters.find(context.req.param('id') ?? '');
  if (found !== null) return found;
  throw gatewayProblem('not_found', {
    detail:
      'There is no such dead letter: it was redriven, dropped, or displaced by newer ones. GET /api/dead-letters lists those there are.',
  });
}

/** @throws HttpProblem 422 for a list that is no stage's. */
function filterOf(asked: {
  queue?: string | undefined;
  stage?: StageName | undefined;
  code?: string | undefined;
}): LetterFilter {
  const { queue, stage, code } = asked;
  let stages = stage === undefined ? undefined : [stage];
  if (queue !== undefined) {
    const named = deadQueue.safeParse(queue);
    if (!named.success) {
      throw gatewayProblem('validation', {
        detail: 'There is no such queue; errors says more.',
        errors: fieldsOf(named.error).map(({ message }) => ({ pointer: '/queue', message })),
      });
    }
    stages = stages === undefined || stages[0] === named.data ? [named.data] : [];
  }
  return { ...(stages !== undefined && { stages }), ...(code !== undefined && { code }) };
}
