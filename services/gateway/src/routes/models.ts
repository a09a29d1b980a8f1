import { z } from '@hono/zod-openapi';
import { defaultCollection, defaultTenant } from '@vortex/contracts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer } from '../exchange.ts';
import { jsonContent } from '../openapi-schemas.ts';

export const modelPrefix = 'rag';

const modelList = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        id: z.string(),
        object: z.literal('model'),
        created: z.int(),
        owned_by: z.string(),
      }),
    ),
  })
  .openapi('ModelList');

/** `GET /v1/models`: each collection is a model, `rag:<collection>`; `rag` alone is the default collection. */
export function modelsEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'get',
    path: '/v1/models',
    tag: 'openai',
    summary: 'Collections as OpenAI models',
    responses: { 200: jsonContent(modelList, 'One model per collection, and `rag` for the default one.') },
    async handle(_context, exchange) {
      const collections = await parts.registry.listCollections(defaultTenant);
      const created = new Map([[modelPrefix, 0]]);
      for (const { name, createdAt } of collections) {
        const seconds = Math.floor(createdAt / 1000);
        created.set(`${modelPrefix}:${name}`, seconds);
        if (name === defaultCollection) created.set(modelPrefix, seconds);
      }
      const data = [...created].map(([id, seconds]) => ({
        id,
        object: 'model' as const,
        created: seconds,
        owned_by: 'vortex',
      }));
      return jsonAnswer(exchange, { object: 'list', data });
    },
  };
}
