import { z } from '@hono/zod-openapi';
import { replicaView } from '@vortex/contracts';
import type { Caller } from '../access/caller.ts';
import { assertOperator, isOperator } from '../access/operators.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer, textAnswer } from '../exchange.ts';
import { jsonContent, textContent } from '../openapi-schemas.ts';

const alive = z.object({ status: z.literal('ok') });
const readiness = z.object({ ready: z.boolean(), reasons: z.array(z.string()) }).openapi('Readiness');
const overview = z
  .object({
    status: z.enum(['ok', 'degraded', 'unavailable']),
    version: z.string().nullable().describe('Told to operators: it says which holes to look for.'),
    uptime_s: z.number(),
    redis: z.object({ reachable: z.boolean() }),
    reasons: z.array(z.string()),
    replicas: z.array(
      z.object({
        url: z.string(),
        worker_name: z.string(),
        load: z.number(),
        slots: z.number(),
        state: z.enum(['up', 'draining', 'down']),
        breaker: replicaView.shape.breaker,
      }),
    ),
  })
  .openapi('Health');

/**
 * `/healthz` says that this process lives, nothing else: an outage of Redis must not restart every gateway.
 * `/readyz` says that it takes questions: Redis answers and the inbox loop has proven itself. It asks Redis
 * itself (0.8 s at most): the inbox notices a frozen Redis after 5 s only, while questions are refused from the
 * first. Workers are not part of it, for a question asked while they restart is kept and answered. `/health` is
 * for people.
 */
export function probeEndpoints(parts: GatewayParts): Endpoint[] {
  const startedAt = performance.now();
  return [
    {
      method: 'get',
      path: '/healthz',
      access: 'open',
      tag: 'operations',
      summary: 'The process lives',
      quiet: true,
      responses: { 200: jsonContent(alive, 'It does.') },
      handle: (_context, exchange) => jsonAnswer(exchange, { status: 'ok' }),
    },
    {
      method: 'get',
      path: '/readyz',
      access: 'open',
      tag: 'operations',
      summary: 'Questions are taken',
      quiet: true,
      responses: {
        200: jsonContent(readiness, 'They are.'),
        503: jsonContent(readiness, 'They are not, for these reasons.'),
      },
      async handle(_context, exchange) {
        const reasons = notReady(parts);
        if (!reasons.includes(silentRedis) && !(await parts.inspector.ping())) reasons.push(silentRedis);
        return jsonAnswer(
          exchange,
          { ready: reasons.length === 0, reasons },
          reasons.length === 0 ? 200 : 503,
        );
      },
    },
    {
      method: 'get',
      path: '/health',
      access: 'open',
      tag: 'operations',
      summary: 'Overview for people',
      quiet: true,
      responses: { 200: jsonContent(overview, 'What works and what does not; never an error status.') },
      handle(_context, exchange) {
        const { replicas, redisReachable } = parts.replicas.latest();
        const reasons = notReady(parts);
        const status = reasons.length > 0 ? 'unavailable' : 'ok';
        if (!replicas.some((replica) => replica.state === 'up')) {
          reasons.push('no generator replica is up; questions wait for one');
        }
        return jsonAnswer(exchange, {
          status: status === 'ok' && reasons.length > 0 ? 'degraded' : status,
          version: mayOperate(exchange.caller) ? parts.version : null,
          uptime_s: Math.round((performance.now() - startedAt) / 1000),
          redis: { reachable: redisReachable },
          reasons,
          // Addresses of the inside are not for everybody who passes by.
          replicas: exchange.caller.scopes.size > 0 ? replicas : [],
        });
      },
    },
    {
      method: 'get',
      path: '/metrics',
      access: 'admin',
      tag: 'operations',
      summary: 'Metrics for Prometheus',
      quiet: true,
      responses: { 200: textContent('text/plain', 'Prometheus text format.') },
      async handle(context, exchange) {
        assertOperator(exchange.caller, 'Reading the metrics');
        const { contentType, body } = await parts.metrics.render(context.req.header('accept'));
        return textAnswer(exchange, body, contentType);
      },
    },
  ];
}

/** As long as no key is asked for, everybody. */
function mayOperate(caller: Caller): boolean {
  return caller.scopes.has('admin') && isOperator(caller);
}

const silentRedis = 'redis does not answer, or the inbox is not being read';

function notReady(parts: GatewayParts): string[] {
  const reasons: string[] = [];
  if (parts.isDraining()) reasons.push('the gateway is stopping');
  if (!parts.submitter.isReady()) reasons.push(silentRedis);
  return reasons;
}
