import { z } from '@hono/zod-openapi';
import {
  type CollectionResponse,
  type CreateCollectionRequest,
  collectionName,
  type UpdateCollectionRequest,
} from '@vortex/contracts';
import { fingerprintOf } from '@vortex/embedding';
import {
  type CollectionChanges,
  CollectionDeleting,
  type CollectionSummary,
  type NewCollection,
} from '@vortex/registry';
import type { Caller } from '../access/caller.ts';
import { queryOrIngest } from '../access/caller.ts';
import { assertMayFill, maySee } from '../access/collection-access.ts';
import { createWhenFree } from '../create-when-free.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, type GatewayContext, jsonAnswer } from '../exchange.ts';
import { cancelJobsOf } from '../jobs/cancel-at-workers.ts';
import { readJson } from '../middleware/json-body.ts';
import { jsonBody, jsonContent, schemas } from '../openapi-schemas.ts';
import { failureProblem, gatewayProblem, type HttpProblem } from '../problem.ts';

const named = { params: z.object({ name: z.string().openapi({ description: 'Of the collection.' }) }) };

/** Collections: made (or made by the first document into them), set, looked at, deleted. */
export function collectionEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'get',
      path: '/api/collections',
      access: queryOrIngest,
      tag: 'documents',
      summary: 'List collections',
      responses: { 200: jsonContent(schemas.collectionList, 'All collections.') },
      problems: [503],
      async handle(_context, exchange) {
        const { caller } = exchange;
        const summaries = await parts.registry.listCollections(caller.tenant);
        const seen = summaries.filter(({ name }) => maySee(caller, name));
        return jsonAnswer(exchange, { collections: seen.map(collectionFrom) });
      },
    },
    {
      method: 'post',
      path: '/api/collections',
      access: 'ingest',
      tag: 'documents',
      summary: 'Make a collection',
      description:
        'Not needed before documents are uploaded into it: the first one makes it. Here it gets defaults of its own, ' +
        'and may be tied to the encoder’s model from the start. Where one of that name is still being removed, that is ' +
        'waited for up to 5 s; then the answer is 409 `collection_deleting`.',
      request: jsonBody(schemas.createCollectionRequest, { name: 'handbook', chunk_size: 128 }),
      responses: { 201: jsonContent(schemas.collection, 'Made.') },
      problems: [400, 409, 413, 415, 422, 503],
      handle: (context, exchange) => createCollection(parts, context, exchange),
    },
    {
      method: 'get',
      path: '/api/collections/{name}',
      access: queryOrIngest,
      tag: 'documents',
      summary: 'One collection',
      request: named,
      responses: { 200: jsonContent(schemas.collection, 'The collection.') },
      problems: [404, 503],
      handle: async (context, exchange) =>
        jsonAnswer(exchange, await summaryOf(parts, exchange.caller, nameIn(context, exchange.caller))),
    },
    {
      method: 'patch',
      path: '/api/collections/{name}',
      access: 'ingest',
      tag: 'documents',
      summary: 'Change a collection’s settings',
      description:
        'What is absent stays; null goes back to the configuration’s default. Documents keep their chunks.',
      request: { ...named, ...jsonBody(schemas.updateCollectionRequest, { relevance_floor: 0.3 }) },
      responses: { 200: jsonContent(schemas.collection, 'As it is now.') },
      problems: [400, 404, 413, 415, 422, 503],
      handle: (context, exchange) => updateCollection(parts, context, exchange),
    },
    {
      method: 'delete',
      path: '/api/collections/{name}',
      access: 'ingest',
      tag: 'documents',
      summary: 'Delete a collection with all its documents',
      description: 'Nothing of it is found once this is answered; its name is free when its rows are gone.',
      request: named,
      responses: { 200: jsonContent(schemas.collectionDeleted, 'It is gone from every search.') },
      problems: [404, 503],
      handle: (context, exchange) => deleteCollection(parts, context, exchange),
    },
  ];
}

async function createCollection(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const request = await readJson(context, schemas.createCollectionRequest, parts.settings.max_body_bytes);
  const { caller } = exchange;
  assertMayFill(caller, request.name);
  assertEncoders(parts, request);
  const { model } = parts;
  const {
    relevance_floor: floor,
    chunk_size: size,
    chunk_overlap: overlap,
    chunking_strategy: strategy,
  } = request;
  const wanted: NewCollection = {
    tenant: caller.tenant,
    name: request.name,
    ...(floor != null && { relevanceFloor: floor }),
    ...(size != null && { chunkSize: size }),
    ...(overlap != null && { chunkOverlap: overlap }),
    ...(strategy != null && { chunkingStrategy: strategy }),
    ...(request.model !== undefined && {
      model: { embeddingModel: fingerprintOf(model), dimension: model.dimension },
    }),
  };
  const created = await createWhenFree(parts.registry, wanted, { signal: exchange.clientGone });
  if (created === 'exists') {
    throw gatewayProblem('collection_exists', {
      detail: `There is a collection ${request.name}. PATCH changes its settings.`,
    });
  }
  if (created === 'deleting') throw new CollectionDeleting(request.name);
  const location = `/api/collections/${request.name}`;
  const empty = { ...created, documents: 0, chunks: 0, bytes: 0 };
  return jsonAnswer(exchange, collectionFrom(empty), 201, { Location: location });
}

/** A collection for vectors that this encoder does not make could never be filled or searched. */
function assertEncoders(
  { model }: GatewayParts,
  { name, model: asked, dimension }: CreateCollectionRequest,
): void {
  const fingerprint = fingerprintOf(model);
  const fits = asked === undefined || asked === model.id || asked === fingerprint;
  if (fits && (dimension === undefined || dimension === model.dimension)) return;
  throw failureProblem({
    code: 'embedding_mismatch',
    message:
      `Collection ${name} is asked for with ${asked ?? model.id} (${dimension ?? model.dimension} dimensions); the encoder ` +
      `has ${fingerprint} (${model.dimension} dimensions). Either set embedding.model to the model you want and restart, ` +
      'or make the collection for the model that is there.',
    stage: null,
    retryable: false,
  });
}

async function updateCollection(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const { caller } = exchange;
  const name = nameIn(context, caller);
  const request = await readJson(context, schemas.updateCollectionRequest, parts.settings.max_body_bytes);
  const updated = await parts.registry.updateCollection(caller.tenant, name, changesOf(request));
  if (updated === null) throw noSuchCollection(name);
  return jsonAnswer(exchange, await summaryOf(parts, caller, name));
}

function changesOf(request: UpdateCollectionRequest): CollectionChanges {
  const {
    relevance_floor: floor,
    chunk_size: size,
    chunk_overlap: overlap,
    chunking_strategy: strategy,
  } = request;
  return {
    ...(floor !== undefined && { relevanceFloor: floor }),
    ...(size !== undefined && { chunkSize: size }),
    ...(overlap !== undefined && { chunkOverlap: overlap }),
    ...(strategy !== undefined && { chunkingStrategy: strategy }),
  };
}

async function deleteCollection(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const { caller } = exchange;
  const name = nameIn(context, caller);
  const deleted = await parts.registry.deleteCollection(caller.tenant, name);
  if (deleted === null) throw noSuchCollection(name);
  await cancelJobsOf(parts, caller.tenant, { collection: name });
  const message = 'No search finds anything of it any more; its rows are being removed.';
  return jsonAnswer(exchange, { name, deleted: true, documents: deleted.documents, message });
}

async function summaryOf(parts: GatewayParts, caller: Caller, name: string): Promise<CollectionResponse> {
  const summary = await parts.registry.summarizeCollection(caller.tenant, name);
  if (summary === null) throw noSuchCollection(name);
  return collectionFrom(summary);
}

function nameIn(context: GatewayContext, caller: Caller): string {
  const name = context.req.param('name') ?? '';
  if (!collectionName.safeParse(name).success) throw noSuchCollection(name.slice(0, 64));
  if (!maySee(caller, name)) throw noSuchCollection(name);
  return name;
}

function noSuchCollection(name: string): HttpProblem {
  return failureProblem({
    code: 'collection_not_found',
    message: `There is no collection ${name}. GET /api/collections lists them.`,
    stage: null,
    retryable: false,
  });
}

function collectionFrom(summary: CollectionSummary): CollectionResponse {
  const { name, embeddingModel, dimension, documents, chunks, bytes } = summary;
  return {
    name,
    embedding_model: embeddingModel,
    model: embeddingModel,
    dimension,
    relevance_floor: summary.relevanceFloor,
    chunk_size: summary.chunkSize,
    chunk_overlap: summary.chunkOverlap,
    chunking_strategy: summary.chunkingStrategy,
    ...{ documents, chunks, bytes },
    created_at: new Date(summary.createdAt).toISOString(),
    updated_at: new Date(summary.updatedAt).toISOString(),
  };
}
