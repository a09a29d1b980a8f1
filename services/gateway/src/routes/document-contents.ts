import { z } from '@hono/zod-openapi';
import type { ChunkPage } from '@vortex/contracts';
import { askForChunks } from '../ask-for-chunks.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Endpoint } from '../endpoint.ts';
import { type Exchange, type GatewayContext, jsonAnswer } from '../exchange.ts';
import { fileAnswer } from '../file-answer.ts';
import { readQuery } from '../middleware/query-parameters.ts';
import { jsonContent, schemas, textContent } from '../openapi-schemas.ts';
import { gatewayProblem } from '../problem.ts';
import { documentId, findDocument } from './documents.ts';

const chunksQuery = z.strictObject({
  /** Ordinal of the last chunk of the page before, as `next` gave it. */
  after: z
    .string()
    .regex(/^\d{1,9}$/, 'must be the `next` of the page before')
    .optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

/**
 * An original is whatever somebody uploaded, HTML with scripts included: it is handed over as a file to keep, and
 * whoever shows it all the same shows it in a box without scripts, without our origin.
 */
const harmless = { 'Content-Security-Policy': "default-src 'none'; sandbox" };

const anyBytes = { '*/*': { schema: { type: 'string' as const, format: 'binary' } } };

/** What is in a document: the bytes that came, the text that was read in them, the chunks it was cut into. */
export function documentContentEndpoints(parts: GatewayParts): Endpoint[] {
  return [
    {
      method: 'get',
      path: '/api/documents/{id}/content',
      access: 'query',
      tag: 'documents',
      summary: 'The original bytes of a document',
      description: 'Takes `Range` and `If-None-Match`.',
      request: documentId,
      responses: {
        200: {
          description: 'The bytes, with the media type they were found to be of.',
          content: anyBytes,
        },
        206: { description: 'The part that `Range` names.', content: anyBytes },
        304: { description: 'The client has it (`If-None-Match`).' },
      },
      problems: [404, 416, 503],
      handle: (context, exchange) => original(parts, context, exchange),
    },
    {
      method: 'get',
      path: '/api/documents/{id}/text',
      access: 'query',
      tag: 'documents',
      summary: 'The extracted text of a document',
      description:
        'Every `source_span` `[start, end)` points into exactly this text, in UTF-16 code units: ' +
        '`text.slice(start, end)` in JavaScript.',
      request: documentId,
      responses: {
        200: textContent('text/plain; charset=utf-8', 'The text.'),
        206: { description: 'The part that `Range` names.' },
        304: { description: 'The text the client has (`If-None-Match`) is this one.' },
      },
      problems: [404, 416, 503],
      handle: (context, exchange) => extractedText(parts, context, exchange),
    },
    {
      method: 'get',
      path: '/api/documents/{id}/chunks',
      access: 'query',
      tag: 'documents',
      summary: 'The chunks of a document, in its order',
      request: { ...documentId, query: chunksQuery },
      responses: { 200: jsonContent(schemas.chunkPage, 'A page of the visible version’s chunks.') },
      problems: [404, 422, 502, 503, 504],
      handle: (context, exchange) => chunks(parts, context, exchange),
    },
  ];
}

async function original(parts: GatewayParts, context: GatewayContext, exchange: Exchange): Promise<Response> {
  const document = await findDocument(parts, context, exchange.caller);
  const { contentHash, mediaType, filename, externalId } = document;
  if (contentHash === null) throw nothingYet();
  return fileAnswer(parts, context, exchange, {
    file: parts.originals.pathOf(contentHash),
    hash: contentHash,
    contentType: mediaType,
    headers: { ...harmless, 'Content-Disposition': attachment(filename ?? externalId ?? 'document') },
  });
}

async function extractedText(
  parts: GatewayParts,
  context: GatewayContext,
  exchange: Exchange,
): Promise<Response> {
  const { textHash } = await findDocument(parts, context, exchange.caller);
  if (textHash === null) throw nothingYet();
  return fileAnswer(parts, context, exchange, {
    file: parts.texts.pathOf(textHash),
    hash: textHash,
    contentType: 'text/plain; charset=utf-8',
    headers: {},
  });
}

async function chunks(parts: GatewayParts, context: GatewayContext, exchange: Exchange): Promise<Response> {
  const { after, limit } = readQuery(context, chunksQuery);
  const from = after === undefined ? 0 : Number(after) + 1;
  const document = await findDocument(parts, context, exchange.caller);
  let { version, chunks: count } = document;
  if (version === 0) throw nothingYet();
  let page = from < count ? await askForChunks(parts, exchange, document, from, limit) : [];
  if (page.length === 0 && from < count) {
    // Replaced between the two questions: the new version's chunks are meant then.
    const now = await findDocument(parts, context, exchange.caller);
    ({ version, chunks: count } = now);
    if (from < count && version !== document.version)
      page = await askForChunks(parts, exchange, now, from, limit);
  }
  const last = page.at(-1)?.ordinal;
  const next = last === undefined || last + 1 >= count ? null : String(last);
  return jsonAnswer(exchange, { chunks: page, next } satisfies ChunkPage);
}

/** RFC 6266 with RFC 8187: the plain name for old clients, the true one for all others. */
function attachment(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

function nothingYet(): Error {
  return gatewayProblem('not_found', {
    detail: 'Nothing of this document can be read yet; its first ingest is not finished, or failed.',
  });
}
