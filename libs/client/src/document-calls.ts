import { basename } from 'node:path';
import {
  type ChunkPage,
  chunkPage,
  type DeleteDocumentsRequest,
  type DocumentDeleted,
  type DocumentPage,
  type DocumentRequest,
  type DocumentResponse,
  type DocumentsDeleted,
  documentDeleted,
  documentPage,
  documentResponse,
  documentsDeleted,
  type UploadAccepted,
  type UploadFields,
  uploadAccepted,
} from '@vortex/contracts';
import { multipartUpload } from './multipart.ts';
import { type CallOptions, queryString, type Transport } from './transport.ts';

export interface UploadOptions extends CallOptions {
  /** The same key with the same content is the same upload: a repeated one does nothing anew. */
  idempotencyKey?: string | undefined;
  /** How the file is called; by default as on disk. */
  filename?: string | undefined;
  /** Bytes of the file that have left, and its size. */
  onSent?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

export interface DocumentFilter {
  collection?: string | undefined;
  state?: DocumentResponse['state'] | undefined;
  /** A part of title, file name or external id. */
  q?: string | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/** `/api/documents…` */
export interface DocumentCalls {
  /**
   * Streams a file from disk; accepted only, `job_id` says how it gets on. A `job_id` of null: there was
   * nothing to do.
   * @throws what reading the file throws; FileShrank
   */
  upload(path: string, fields?: UploadFields, options?: UploadOptions): Promise<UploadAccepted>;
  /** The same for a text that is at hand. */
  create(
    request: DocumentRequest,
    options?: CallOptions & { idempotencyKey?: string },
  ): Promise<UploadAccepted>;
  /** Newest first; `next` of a page given as `after` brings the one behind it. */
  list(filter?: DocumentFilter, call?: CallOptions): Promise<DocumentPage>;
  get(id: string, call?: CallOptions): Promise<DocumentResponse>;
  /** No search finds it any more from the reply on. */
  delete(id: string, call?: CallOptions): Promise<DocumentDeleted>;
  deleteByFilter(request: DeleteDocumentsRequest, call?: CallOptions): Promise<DocumentsDeleted>;
  /** The extracted text, which every `source_span` points into. */
  text(id: string, call?: CallOptions): Promise<string>;
  /** The bytes that were uploaded; the stream fails when the connection breaks off. */
  content(id: string, call?: CallOptions): Promise<ReadableStream<Uint8Array>>;
  chunks(id: string, page?: { after?: string; limit?: number }, call?: CallOptions): Promise<ChunkPage>;
}

export function documentCalls(transport: Transport): DocumentCalls {
  const pathOf = (id: string) => `/api/documents/${encodeURIComponent(id)}`;
  const keyOf = (key: string | undefined) => (key === undefined ? {} : { 'idempotency-key': key });
  return {
    async upload(path, fields = {}, options = {}) {
      const { idempotencyKey, filename = basename(path), onSent, signal } = options;
      signal?.throwIfAborted();
      const { headers, body, readError } = await multipartUpload({ path, filename, fields, onSent });
      try {
        return await transport.stream(uploadAccepted, '/api/documents/upload', {
          headers: { ...headers, ...keyOf(idempotencyKey) },
          body,
          signal,
        });
      } catch (error) {
        throw readError() ?? error;
      } finally {
        body.destroy();
      }
    },
    create: (request, { idempotencyKey, ...call } = {}) =>
      transport.json(uploadAccepted, '/api/documents', {
        ...call,
        body: request,
        headers: keyOf(idempotencyKey),
      }),
    list: (filter = {}, call = {}) =>
      transport.json(documentPage, `/api/documents${queryString({ ...filter })}`, call),
    get: (id, call = {}) => transport.json(documentResponse, pathOf(id), call),
    delete: (id, call = {}) => transport.json(documentDeleted, pathOf(id), { ...call, method: 'DELETE' }),
    deleteByFilter: (request, call = {}) =>
      transport.json(documentsDeleted, '/api/documents/delete', { ...call, body: request }),
    text: (id, call = {}) => transport.text(`${pathOf(id)}/text`, call),
    async content(id, call = {}) {
      const { body } = await transport.send(`${pathOf(id)}/content`, call);
      return (body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>;
    },
    chunks: (id, page = {}, call = {}) =>
      transport.json(chunkPage, `${pathOf(id)}/chunks${queryString(page)}`, call),
  };
}
