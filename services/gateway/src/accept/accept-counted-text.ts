import { createHash } from 'node:crypto';
import { mediaTypeOf } from '@vortex/documents';
import type { IdempotencyKey } from '@vortex/registry';
import type { GatewayParts } from '../dependencies.ts';
import type { Exchange } from '../exchange.ts';
import { schemas } from '../openapi-schemas.ts';
import { acceptDocuments } from './accept-documents.ts';

/**
 * `POST /ingest` of a key that may store only so much: accepted as an upload is, because what waits on the light way is
 * in no registry yet and nobody could count it. The worker would have made the same document of it.
 * @returns the job's id; null where nothing is to be stored: the light way then answers as ever.
 * @throws QuotaExceeded, and as acceptDocuments
 */
export async function acceptCountedText(
  parts: GatewayParts,
  exchange: Exchange,
  body: Buffer,
  idempotency: IdempotencyKey | null,
): Promise<string | null> {
  const request = schemas.ingestRequest.parse(JSON.parse(body.toString()));
  const { content, document_id: externalId, user_id: userId, collection } = request;
  // Of one that nobody sees nothing is left.
  const title = request.title || undefined;
  const bytes = Buffer.from(content);
  const mediaType = mediaTypeOf({
    names: title === undefined ? [externalId] : [externalId, title],
    text: content,
  });
  const [accepted] = await acceptDocuments(
    parts,
    exchange,
    [
      {
        ...{ filename: null, name: externalId, mediaType, bytes: bytes.length },
        hash: createHash('sha256').update(bytes).digest('hex'),
        place: async () => void (await parts.originals.put(bytes)),
      },
    ],
    {
      external_id: externalId,
      ...(title !== undefined && { title }),
      ...(collection !== undefined && { collection }),
      ...(userId !== undefined && { metadata: { user_id: userId } }),
    },
    idempotency,
  );
  return accepted?.outcome === 'accepted' ? accepted.answer.job_id : null;
}
