import { z } from '@hono/zod-openapi';
import {
  collectionName,
  type DeleteDocumentsRequest,
  type DocumentResponse,
  documentState,
  matchesFilter,
  visibleText,
} from '@vortex/contracts';
import type { DocumentFilter, DocumentRecord, ListPlace } from '@vortex/registry';
import { type Caller, queryOrIngest } from '../access/caller.ts';
import { maySee } from '../access/collection-access.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, type GatewayContext, jsonAnswer } from '../exchange.ts';
import { assertWithinLimits } from '../input-limits.ts';
import { cancelJobsOf } from '../jobs/cancel-at-workers.ts';
import { readJson } from '../middleware/json-body.ts';
import { readQuery } from '../middleware/query-parameters.ts';
import { jsonBody, jsonContent, pathId, schemas } from '../openapi-schemas.ts';
import { pageOf, pageParameters, placeOf } from '../paging.ts';
import { gatewayProblem } from '../problem.ts';

const documentQuery = z.strictObject({
  collection: collectionName.optional(),
  state: documentState.optional(),
  q: z.string().overwrite(visibleText).min(1).max(200).optional(),
  ...pageParameters,
});
export const documentId = pathId('`document_id`, as citations and lists name it.');

/** Documents as the registry knows them: read, listed, deleted. What is in them is in document-contents.ts. */
export function documentEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'get',
      path: '/api/documents',
      access: queryOrIngest,
      tag: 'documents',
      summary: 'List documents, newest first',
      description: '`q` is a part of title, file name or external id, whatever its case.',
      request: { query: documentQuery },
      responses: { 200: jsonContent(schemas.documentPage, 'A page of documents.') },
      problems: [422, 503],
      handle: (context, exchange) => listDocuments(parts, context, exchange),
    },
    {
      method: 'get',
      path: '/api/documents/{id}',
      access: queryOrIngest,
      tag: 'documents',
      summary: 'One document',
      request: documentId,
      responses: { 200: jsonContent(schemas.document, 'The document.') },
      problems: [404, 503],
      async handle(context, exchange) {
        return jsonAnswer(exchange, documentFrom(await findDocument(parts, context, exchange.caller)));
      },
    },
    {
      method: 'delete',
      path: '/api/documents/{id}',
      access: 'ingest',
      tag: 'documents',
      summary: 'Delete a document',
      description:
        'No search finds it any more once this is answered; what was stored of it is removed after that.',
      request: documentId,
      responses: { 200: jsonContent(schemas.documentDeleted, 'It is invisible from now on.') },
      problems: [404, 503],
      async handle(context, exchange) {
        const { caller } = exchange;
        const { documentId: id } = await findDocument(parts, context, caller);
        if (!(await deleteDocument(parts, caller, id))) throw noSuchDocument();
        const message = 'No search finds the document any more; what was stored of it is being removed.';
        return jsonAnswer(exchange, { id, deleted: true, message });
      },
    },
    {
      method: 'post',
      path: '/api/documents/delete',
      access: 'ingest',
      tag: 'documents',
      summary: 'Delete the documents that fit all given conditions',
      description: 'At least one condition must be given. `dry_run` only says what would be deleted.',
      request: jsonBody(schemas.deleteDocumentsRequest, { collection: 'handbook', dry_run: true }),
      responses: { 200: jsonContent(schemas.documentsDeleted, 'How many, and the first thousand of them.') },
      problems: [400, 413, 415, 422, 503],
      handle: (context, exchange) => deleteDocuments(parts, context, exchange),
    },
  ];
}

async function listDocuments(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const { collection, state, q, ...asked } = readQuery(context, documentQuery);
  const { tenant, collections } = exchange.caller;
  const found = await parts.registry.listDocuments(tenant, {
    ...placeOf(asked),
    ...(collections !== null && { collections }),
    ...(collection !== undefined && { collection }),
    ...(state !== undefined && { state }),
    ...(q !== undefined && { q }),
  });
  const { entries, next } = pageOf(found, asked, ({ documentId }) => documentId);
  return jsonAnswer(exchange, { documents: entries.map(documentFrom), next });
}

/** @returns false: there is no such document. */
async function deleteDocument(parts: GatewayParts, { tenant }: Caller, id: string): Promise<boolean> {
  if (!(await parts.registry.deleteDocument(tenant, id))) return false;
  await cancelJobsOf(parts, tenant, { documentId: id });
  return true;
}

const pageSize = 500;
const maxListed = 1000;

async function deleteDocuments(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const request = await readJson(context, schemas.deleteDocumentsRequest, parts.settings.max_body_bytes);
  assertWithinLimits(parts.settings, request);
  const dryRun = request.dry_run === true;
  const { caller } = exchange;
  const found = await matching(parts, caller, request);
  const deleted: string[] = [];
  for (const id of found) {
    // One that somebody else deletes meanwhile is not counted twice.
    if (dryRun || (await deleteDocument(parts, caller, id))) deleted.push(id);
  }
  return jsonAnswer(exchange, { deleted: deleted.length, ids: deleted.slice(0, maxListed), dry_run: dryRun });
}

/** All ids first, then the deletes: a list that shrinks while it is paged through skips some. */
async function matching(
  parts: GatewayParts,
  { tenant, collections }: Caller,
  request: DeleteDocumentsRequest,
): Promise<string[]> {
  const { ids, collection, state, q, filter } = request;
  const conditions: DocumentFilter = {
    limit: pageSize,
    ...(collections !== null && { collections }),
    ...(ids !== undefined && { ids: [...new Set(ids)] }),
    ...(collection !== undefined && { collection }),
    ...(state !== undefined && { state }),
    ...(q !== undefined && { q }),
  };
  const found: string[] = [];
  let after: ListPlace | undefined;
  for (;;) {
    const page = await parts.registry.listDocuments(tenant, {
      ...conditions,
      ...(after !== undefined && { after }),
    });
    for (const { documentId: id, state: now, metadata } of page) {
      if (now === 'deleting') continue;
      if (filter === undefined || matchesFilter(metadata, filter)) found.push(id);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return found;
    after = { createdAt: last.createdAt, id: last.documentId };
  }
}

export async function findDocument(
  parts: GatewayParts,
  context: GatewayContext,
  caller: Caller,
): Promise<DocumentRecord> {
  const record = await parts.registry.getDocument(caller.tenant, context.req.param('id') ?? '');
  if (record === null || !maySee(caller, record.collection)) throw noSuchDocument();
  return record;
}

function noSuchDocument(): Error {
  return gatewayProblem('not_found', { detail: 'There is no such document.' });
}

function documentFrom(record: DocumentRecord): DocumentResponse {
  const { documentId: id, collection, title, filename, bytes, pages, chunks, tokens, state } = record;
  return {
    ...{ id, document_id: id, collection, title, filename },
    media_type: record.mediaType,
    ...{ bytes, pages, chunks, tokens, state, version: record.version },
    content_hash: record.contentHash,
    external_id: record.externalId,
    metadata: record.metadata,
    created_at: new Date(record.createdAt).toISOString(),
    updated_at: new Date(record.updatedAt).toISOString(),
    last_error: record.lastError,
  };
}
