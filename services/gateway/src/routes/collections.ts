import { z } from '@hono/zod-openapi';
import { defaultTenant } from '@vortex/contracts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { jsonAnswer } from '../exchange.ts';
import { jsonContent } from '../openapi-schemas.ts';

const collectionList = z
  .object({
    collections: z.array(
      z.object({
        name: z.string(),
        documents: z.int().min(0),
        chunks: z.int().min(0),
        bytes: z.int().min(0),
        /** Fingerprint of the model its vectors were made with; null until the first are stored. */
        embedding_model: z.string().nullable(),
        dimension: z.int().nullable(),
        relevance_floor: z.number().nullable(),
        created_at: z.string(),
        updated_at: z.string(),
      }),
    ),
  })
  .openapi('CollectionList');

export function collectionsEndpoint(parts: GatewayParts): Endpoint {
  return {
    method: 'get',
    path: '/api/collections',
    tag: 'documents',
    summary: 'List collections',
    responses: { 200: jsonContent(collectionList, 'All collections.') },
    async handle(_context, exchange) {
      const summaries = await parts.registry.listCollections(defaultTenant);
      const collections = summaries.map((summary) => ({
        name: summary.name,
        documents: summary.documents,
        chunks: summary.chunks,
        bytes: summary.bytes,
        embedding_model: summary.embeddingModel,
        dimension: summary.dimension,
        relevance_floor: summary.relevanceFloor,
        created_at: new Date(summary.createdAt).toISOString(),
        updated_at: new Date(summary.updatedAt).toISOString(),
      }));
      return jsonAnswer(exchange, { collections });
    },
  };
}
