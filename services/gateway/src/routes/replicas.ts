import { z } from '@hono/zod-openapi';
import { QueueUnavailable, type ReplicaState } from '@vortex/queue';
import { assertOperator } from '../access/operators.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer } from '../exchange.ts';
import { jsonContent, schemas } from '../openapi-schemas.ts';
import { gatewayProblem } from '../problem.ts';

const named = { params: z.object({ name: z.string().openapi({ description: 'Its WORKER_NAME.' }) }) };

/** The generator replicas, their breakers, and a person's word on which of them may work. */
export function replicaEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'get',
      path: '/api/replicas',
      access: 'admin',
      tag: 'operations',
      summary: 'Generator replicas and their breakers',
      responses: {
        200: jsonContent(schemas.replicaList, 'Every replica that has beaten in the last ten minutes.'),
      },
      problems: [503],
      async handle(_context, exchange) {
        // Their load is what all tenants do, their addresses are the instance's inside.
        assertOperator(exchange.caller, 'Looking at the replicas');
        const [states, budget] = await asked(
          Promise.all([parts.inspector.replicas(), parts.inspector.retryBudget()]),
        );
        return jsonAnswer(exchange, {
          replicas: states.map(viewOf),
          retry_budget: Math.round(10 * budget) / 10,
        });
      },
    },
    order('drain', 'Takes a replica out of use: it finishes what it has and takes nothing new'),
    order('resume', 'Lets a drained replica back in, slowly at first'),
  ];

  function order(verb: 'drain' | 'resume', summary: string): Endpoint {
    return {
      method: 'post',
      path: `/api/replicas/{name}/${verb}`,
      access: 'admin',
      tag: 'operations',
      summary,
      description:
        'In force at once for what is assigned, within a second for what the replica pulls itself. It outlives the process.',
      request: named,
      responses: { 200: jsonContent(schemas.replicaOrdered, 'The replica as it is now.') },
      problems: [404, 503],
      async handle(context, exchange) {
        assertOperator(exchange.caller, 'Draining and resuming replicas');
        const name = context.req.param('name') ?? '';
        const named = (await asked(parts.inspector.replicas())).filter((one) => one.worker_name === name);
        // One that was restarted on another port is there twice for ten minutes.
        const found = named.find((one) => one.state !== 'down') ?? named[0];
        const word = verb === 'drain' ? 'DRAIN' : 'RESUME';
        if (found === undefined || !(await parts.submitter.drainReplica(found.url, word))) {
          throw gatewayProblem('not_found', {
            detail: `There is no replica ${name.slice(0, 100)}. GET /api/replicas lists them.`,
          });
        }
        const states = await asked(parts.inspector.replicas());
        const now = states.find((one) => one.url === found.url) ?? found;
        const isLast = verb === 'drain' && !states.some((one) => one.url !== found.url && one.state === 'up');
        return jsonAnswer(exchange, { ...viewOf(now), warning: isLast ? noneLeft : null });
      },
    };
  }
}

const noneLeft =
  'No other replica takes questions: they wait until one does, and those whose deadline passes first fail.';

async function asked<Value>(question: Promise<Value>): Promise<Value> {
  try {
    return await question;
  } catch (error) {
    throw new QueueUnavailable('the replicas could not be asked for: Redis is down or slow', error);
  }
}

function viewOf({ worker_name, url, state, slots, load, breaker }: ReplicaState) {
  return { name: worker_name, url, state, slots, load, breaker };
}
