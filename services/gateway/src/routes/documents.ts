import { z } from '@hono/zod-openapi';
import { collectionName, defaultTenant } from '@vortex/contracts';
import { ContentMissing } from '@vortex/documents';
import type { DocumentRecord } from '@vortex/registry';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, type GatewayContext, jsonAnswer, notModified, textAnswer } from '../exchange.ts';
import { fieldsOf } from '../middleware/json-body.ts';
import { jsonContent, pathId, textContent } from '../openapi-schemas.ts';
import { gatewayProblem } from '../problem.ts';

const documentStates = ['pending', 'processing', 'ready', 'failed', 'deleting'] as const;

const documentShape = z
  .object({
    document_id: z.string(),
    external_id: z.string().nullable(),
    collection: z.string(),
    title: z.string(),
    media_type: z.string(),
    state: z.enum(documentStates),
    version: z.int().min(0),
    bytes: z.int().min(0),
    chunks: z.int().min(0),
    tokens: z.int().min(0),
    content_hash: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    last_error: z.object({ code: z.string(), message: z.string() }).nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Document');

const documentPage = z
  .object({
    documents: z.array(documentShape),
    /** Given as `after` it brings the next page; null on the last one. */
    next: z.string().nullable(),
  })
  .openapi('DocumentPage');

const documentQuery = z.strictObject({
  collection: collectionName.optional(),
  state: z.enum(documentStates).optional(),
  after: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
});

/** Documents as the registry knows them, and the text that every `source_span` points into. */
export function documentEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'get',
      path: '/api/documents',
      tag: 'documents',
      summary: 'List documents, newest first',
      request: { query: documentQuery },
      responses: { 200: jsonContent(documentPage, 'A page of documents.') },
      problems: [422],
      handle: (context, exchange) => listDocuments(parts, context, exchange),
    },
    {
      method: 'get',
      path: '/api/documents/{id}',
      tag: 'documents',
      summary: 'One document',
      request: pathId('`document_id`, as citations and lists name it.'),
      responses: { 200: jsonContent(documentShape, 'The document.') },
      problems: [404],
      async handle(context, exchange) {
        return jsonAnswer(exchange, documentFrom(await findDocument(parts, context)));
      },
    },
    {
      method: 'get',
      path: '/api/documents/{id}/text',
      tag: 'documents',
      summary: 'The extracted text of a document',
      description:
        'Every `source_span` `[start, end)` points into exactly this text, in UTF-16 code units: ' +
        '`text.slice(start, end)` in JavaScript.',
      request: pathId('`document_id`, as citations and lists name it.'),
      responses: {
        200: textContent('text/plain; charset=utf-8', 'The text.'),
        304: { description: 'The text the client has (`If-None-Match`) is this one.' },
      },
      problems: [404],
      handle: (context, exchange) => documentText(parts, context, exchange),
    },
  ];
}

async function listDocuments(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const parsed = documentQuery.safeParse(context.req.query());
  if (!parsed.success) {
    throw gatewayProblem('validation', {
      detail: 'A query parameter is not as this route takes it; errors says which.',
      errors: fieldsOf(parsed.error),
    });
  }
  const { limit, collection, state, after } = parsed.data;
  const records = await parts.registry.listDocuments(defaultTenant, {
    limit,
    ...(collection !== undefined && { collection }),
    ...(state !== undefined && { state }),
    ...(after !== undefined && { after }),
  });
  const next = records.length === limit ? (records.at(-1)?.documentId ?? null) : null;
  return jsonAnswer(exchange, { documents: records.map(documentFrom), next });
}

async function documentText(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const { textHash } = await findDocument(parts, context);
  if (textHash === null) {
    throw gatewayProblem('not_found', {
      detail: 'This document has no text yet; its ingest is not finished.',
    });
  }
  const etag = `"${textHash}"`;
  const caching = { ETag: etag, 'Cache-Control': 'private, no-cache' };
  if (matches(context.req.header('if-none-match'), etag)) return notModified(exchange, caching);
  try {
    return textAnswer(exchange, await parts.texts.get(textHash), 'text/plain; charset=utf-8', caching);
  } catch (error) {
    if (!(error instanceof ContentMissing)) throw error;
    parts.log.error({ err: error, request_id: exchange.requestId }, 'a registered text is missing');
    throw gatewayProblem('not_found', {
      detail: 'The text of this document is missing from the data folder; ingest the document again.',
    });
  }
}

async function findDocument(parts: GatewayParts, context: GatewayContext): Promise<DocumentRecord> {
  const record = await parts.registry.getDocument(defaultTenant, context.req.param('id') ?? '');
  if (record !== null) return record;
  throw gatewayProblem('not_found', { detail: 'There is no such document.' });
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}

function documentFrom(record: DocumentRecord): z.infer<typeof documentShape> {
  return {
    document_id: record.documentId,
    external_id: record.externalId,
    collection: record.collection,
    title: record.title,
    media_type: record.mediaType,
    state: record.state,
    version: record.version,
    bytes: record.bytes,
    chunks: record.chunks,
    tokens: record.tokens,
    content_hash: record.contentHash,
    metadata: record.metadata,
    last_error: record.lastError,
    created_at: new Date(record.createdAt).toISOString(),
    updated_at: new Date(record.updatedAt).toISOString(),
  };
}
