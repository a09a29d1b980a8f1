import { z } from '@hono/zod-openapi';
import { defaultCollection } from '@vortex/contracts';
import type { Caller } from '../access/caller.ts';
import { maySee } from '../access/collection-access.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer } from '../exchange.ts';
import { jsonContent, pathId } from '../openapi-schemas.ts';
import { gatewayProblem } from '../problem.ts';

const modelPrefix = 'rag';

const model = z
  .object({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })
  .openapi('Model');
const modelList = z.object({ object: z.literal('list'), data: z.array(model) }).openapi('ModelList');

/** Each collection is a model, `rag:<collection>`; `rag` alone is the default collection. */
export function modelEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'get',
      path: '/v1/models',
      access: 'query',
      tag: 'openai',
      summary: 'Collections as OpenAI models',
      responses: { 200: jsonContent(modelList, 'One model per collection, and `rag` for the default one.') },
      async handle(_context, exchange) {
        return jsonAnswer(exchange, { object: 'list', data: await modelsOf(parts, exchange.caller) });
      },
    },
    {
      method: 'get',
      path: '/v1/models/{id}',
      access: 'query',
      tag: 'openai',
      summary: 'One collection as an OpenAI model',
      request: pathId('`rag` or `rag:<collection>`.'),
      responses: { 200: jsonContent(model, 'The model.') },
      problems: [404],
      async handle(context, exchange) {
        const id = context.req.param('id');
        const found = (await modelsOf(parts, exchange.caller)).find((one) => one.id === id);
        if (found !== undefined) return jsonAnswer(exchange, found);
        throw gatewayProblem('model_not_found', {
          detail: 'There is no such model; GET /v1/models lists them.',
        });
      },
    },
  ];
}

async function modelsOf(parts: GatewayParts, caller: Caller): Promise<z.infer<typeof model>[]> {
  const collections = await parts.registry.listCollections(caller.tenant);
  const created = new Map(maySee(caller, defaultCollection) ? [[modelPrefix, 0]] : []);
  for (const { name, createdAt } of collections) {
    if (!maySee(caller, name)) continue;
    const seconds = Math.floor(createdAt / 1000);
    created.set(`${modelPrefix}:${name}`, seconds);
    if (name === defaultCollection) created.set(modelPrefix, seconds);
  }
  return [...created].map(([id, seconds]) => ({ id, object: 'model', created: seconds, owned_by: 'vortex' }));
}
