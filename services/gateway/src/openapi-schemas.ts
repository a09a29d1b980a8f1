import { z } from '@hono/zod-openapi';
import {
  adminActPage,
  auditReport,
  auditRequest,
  cancelAccepted,
  chunkPage,
  collectionDeleted,
  collectionList,
  collectionResponse,
  createCollectionRequest,
  createKeyRequest,
  createWebhookRequest,
  deadLetter,
  deadLetterPage,
  deadLettersDropped,
  deadLettersRedriven,
  deleteDocumentsRequest,
  documentDeleted,
  documentPage,
  documentRequest,
  documentResponse,
  documentsDeleted,
  ingestRequest,
  ingestResponse,
  jobAccepted,
  jobPage,
  jobResponse,
  jobStatusResponse,
  keyList,
  keyResponse,
  keyWithSecret,
  problem,
  queryExplanation,
  queryRequest,
  queryResponse,
  redriven,
  redriveRequest,
  replicaList,
  replicaOrdered,
  replicaView,
  rotateKeyRequest,
  searchRequest,
  searchResponse,
  updateCollectionRequest,
  uploadAccepted,
  uploadsAccepted,
  webhookDeliveryPage,
  webhookList,
  webhookQueued,
  webhookResponse,
} from '@vortex/contracts';

/**
 * The contracts' schemas under the names they have in `openapi.json`; handlers and document use the same
 * object. The clone parses like its original and, unlike it, was made after zod-openapi taught zod its method.
 */
function named<S extends z.ZodType>(name: string, schema: S): S {
  return schema.clone().openapi(name);
}

export const schemas = {
  queryRequest: named('QueryRequest', queryRequest),
  queryResponse: named('QueryResponse', queryResponse),
  queryExplanation: named('QueryExplanation', queryExplanation),
  searchRequest: named('SearchRequest', searchRequest),
  searchResponse: named('SearchResponse', searchResponse),
  ingestRequest: named('IngestRequest', ingestRequest),
  ingestResponse: named('IngestResponse', ingestResponse),
  jobAccepted: named('JobAccepted', jobAccepted),
  job: named('Job', jobResponse),
  auditRequest: named('AuditRequest', auditRequest),
  adminActPage: named('AdminActPage', adminActPage),
  auditReport: named('AuditReport', auditReport),
  jobPage: named('JobPage', jobPage),
  jobStatus: named('JobStatus', jobStatusResponse),
  cancelAccepted: named('JobChange', cancelAccepted),
  documentRequest: named('DocumentRequest', documentRequest),
  uploadAccepted: named('UploadAccepted', uploadAccepted),
  uploadsAccepted: named('UploadsAccepted', uploadsAccepted),
  document: named('Document', documentResponse),
  documentPage: named('DocumentPage', documentPage),
  documentDeleted: named('DocumentDeleted', documentDeleted),
  deleteDocumentsRequest: named('DeleteDocumentsRequest', deleteDocumentsRequest),
  documentsDeleted: named('DocumentsDeleted', documentsDeleted),
  chunkPage: named('ChunkPage', chunkPage),
  createCollectionRequest: named('CreateCollectionRequest', createCollectionRequest),
  updateCollectionRequest: named('UpdateCollectionRequest', updateCollectionRequest),
  collection: named('Collection', collectionResponse),
  collectionList: named('CollectionList', collectionList),
  collectionDeleted: named('CollectionDeleted', collectionDeleted),
  createWebhookRequest: named('CreateWebhookRequest', createWebhookRequest),
  webhook: named('Webhook', webhookResponse),
  webhookList: named('WebhookList', webhookList),
  webhookQueued: named('WebhookQueued', webhookQueued),
  webhookDeliveryPage: named('WebhookDeliveryPage', webhookDeliveryPage),
  createKeyRequest: named('CreateKeyRequest', createKeyRequest),
  rotateKeyRequest: named('RotateKeyRequest', rotateKeyRequest),
  key: named('Key', keyResponse),
  keyWithSecret: named('KeyWithSecret', keyWithSecret),
  keyList: named('KeyList', keyList),
  replica: named('Replica', replicaView),
  replicaOrdered: named('ReplicaOrdered', replicaOrdered),
  replicaList: named('ReplicaList', replicaList),
  deadLetter: named('DeadLetter', deadLetter),
  deadLetterPage: named('DeadLetterPage', deadLetterPage),
  deadLettersDropped: named('DeadLettersDropped', deadLettersDropped),
  redriven: named('Redriven', redriven),
  redriveRequest: named('RedriveRequest', redriveRequest),
  deadLettersRedriven: named('DeadLettersRedriven', deadLettersRedriven),
  problem: named('Problem', problem),
  openAiError: z
    .object({
      error: z.object({
        message: z.string(),
        type: z.string(),
        param: z.string().nullable(),
        code: z.string(),
      }),
    })
    .openapi('OpenAiError'),
} as const;

export function jsonContent<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

export function textContent(contentType: string, description: string) {
  return { description, content: { [contentType]: { schema: z.string() } } };
}

/** The example is what `/docs` sends when somebody tries the route; one made of all fields would be refused. */
export function jsonBody<S extends z.ZodType>(schema: S, example: z.input<S>, required = true) {
  return { body: { required, content: { 'application/json': { schema, example } } } };
}

export const idempotencyHeader = z.object({
  'Idempotency-Key': z.string().min(8).max(255).optional().openapi({
    description:
      'The same key with the same request within a day is answered as the first was, and done once.',
  }),
});

export function pathId(about: string) {
  return { params: z.object({ id: z.string().openapi({ description: about }) }) };
}

export function pathFile(files: readonly string[]) {
  return { params: z.object({ file: z.string().openapi({ enum: [...files] }) }) };
}
