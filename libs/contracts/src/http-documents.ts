import { z } from 'zod';
import { sourceSpan } from './answer.ts';
import { collectionName } from './envelope.ts';
import { webhookUrl } from './http-webhooks.ts';
import { metadataFilter } from './metadata-filter.ts';
import { isDeeperThan, isStoredText, storedRecord, storedText } from './stored-text.ts';
import { visibleText } from './visible-text.ts';

/** Documents over HTTP: `POST /api/documents/upload`, `/api/documents…`. */

export const chunkingStrategy = z.enum(['structure', 'sentence', 'fixed']);
export type ChunkingStrategy = z.infer<typeof chunkingStrategy>;

/** What to do when the identity (collection and external id) has a document already. */
export const ifExists = z.enum(['replace', 'skip', 'error']);
export type IfExists = z.infer<typeof ifExists>;

/** Free JSON of the caller, kept with the document and filtered by. */
const maxMetadataCharacters = 16 * 1024;
/** SQLite reads no JSON beyond 1,000 levels, and a recursion of ours would end before that. */
const maxMetadataDepth = 16;
export const documentMetadata = z
  .record(z.string().min(1).max(200), z.unknown())
  // First, and nothing after it when it fails: writing it as JSON, to measure it, descends as well.
  .refine((metadata) => !isDeeperThan(maxMetadataDepth, metadata), {
    message: `must nest at most ${maxMetadataDepth} levels`,
    abort: true,
  })
  .refine((metadata) => JSON.stringify(metadata).length <= maxMetadataCharacters, {
    message: `must be at most ${maxMetadataCharacters} characters of JSON`,
  })
  .overwrite(storedRecord);

export const externalId = z
  .string()
  .overwrite(visibleText)
  .min(1)
  .max(512)
  .refine(isStoredText, { message: 'must be Unicode text without U+0000' });

/** The fields beside `file` of a multipart upload, and those of the JSON body beside its text. */
export const documentSettings = {
  collection: collectionName.optional(),
  title: z.string().overwrite(storedText).trim().min(1).max(1000).optional(),
  external_id: externalId.optional(),
  metadata: documentMetadata.optional(),
  /** Tokens; more than the encoder takes is clamped, and a note says so. */
  chunk_size: z.int().min(16).max(100_000).optional(),
  chunk_overlap: z.int().min(0).max(100_000).optional(),
  chunking_strategy: chunkingStrategy.optional(),
  if_exists: ifExists.optional(),
  webhook_url: webhookUrl.optional(),
};
export const uploadFields = z.strictObject(documentSettings);
export type UploadFields = z.infer<typeof uploadFields>;

/** `POST /api/documents`: exactly one of the three texts. */
export const documentRequest = z
  .strictObject({
    text: z.string().optional(),
    markdown: z.string().optional(),
    html: z.string().optional(),
    ...documentSettings,
  })
  .superRefine((body, context) => {
    const given = (['text', 'markdown', 'html'] as const).filter((name) => body[name] !== undefined);
    if (given.length !== 1) {
      context.addIssue({ code: 'custom', message: 'needs exactly one of text, markdown and html' });
    } else if (given[0] !== undefined && !/\S/.test(body[given[0]] ?? '')) {
      context.addIssue({ code: 'custom', path: [given[0]], message: 'must have text' });
    }
  });
export type DocumentRequest = z.infer<typeof documentRequest>;

/** 202, or 200 when nothing is to be done (`deduplicated`, or `if_exists: skip`). */
export const uploadAccepted = z.object({
  job_id: z.string().nullable(),
  status: z.enum(['queued', 'processing', 'retrying', 'completed', 'skipped']),
  message: z.string(),
  created_at: z.string(),
  document_id: z.string(),
  status_url: z.string().nullable(),
  filename: z.string().nullable().optional(),
  /** The same bytes with the same settings are there already, or on their way. */
  deduplicated: z.boolean().optional(),
  /** What was done otherwise than asked, e.g. a clamped chunk size. */
  notes: z.array(z.string()).optional(),
  /** With `webhook_url`: verifies the signature of what will be sent there. */
  webhook_secret: z.string().optional(),
});
export type UploadAccepted = z.infer<typeof uploadAccepted>;

/** Several files in one request: one entry each, in their order. A file that was refused is a problem instead. */
export const uploadsAccepted = z.object({
  jobs: z.array(
    z.union([
      uploadAccepted,
      z.object({
        filename: z.string().nullable(),
        status: z.literal('refused'),
        code: z.string(),
        message: z.string(),
      }),
    ]),
  ),
});
export type UploadsAccepted = z.infer<typeof uploadsAccepted>;

export const documentState = z.enum(['pending', 'processing', 'ready', 'failed', 'deleting']);

export const documentResponse = z.object({
  id: z.string(),
  /** The same as `id`, as citations call it. */
  document_id: z.string(),
  collection: z.string(),
  title: z.string(),
  filename: z.string().nullable(),
  media_type: z.string(),
  bytes: z.int().min(0),
  /** Null where the format has none. */
  pages: z.int().min(0).nullable(),
  chunks: z.int().min(0),
  tokens: z.int().min(0),
  state: documentState,
  /** The visible version; 0 when nothing of the document can be found yet. */
  version: z.int().min(0),
  content_hash: z.string().nullable(),
  external_id: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  created_at: z.string(),
  updated_at: z.string(),
  last_error: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type DocumentResponse = z.infer<typeof documentResponse>;

export const documentPage = z.object({
  documents: z.array(documentResponse),
  /** Given as `after` it brings the next page; null on the last one. */
  next: z.string().nullable(),
});
export type DocumentPage = z.infer<typeof documentPage>;

export const chunkResponse = z.object({
  chunk_id: z.string(),
  /** `text` of the document, sliced by `source_span`. */
  text: z.string(),
  source_span: sourceSpan,
  /** Counts from 1; null where the format has no pages. */
  page: z.int().min(1).nullable(),
  heading_path: z.array(z.string()),
  context: z.string(),
  ordinal: z.int().min(0),
  tokens: z.int().min(0),
});
export const chunkPage = z.object({ chunks: z.array(chunkResponse), next: z.string().nullable() });
export type ChunkPage = z.infer<typeof chunkPage>;

export const documentDeleted = z.object({ id: z.string(), deleted: z.literal(true), message: z.string() });
export type DocumentDeleted = z.infer<typeof documentDeleted>;

/** `POST /api/documents/delete`: what all given conditions fit. At least one must be given. */
export const deleteDocumentsRequest = z
  .strictObject({
    ids: z.array(z.string().min(1).max(200)).min(1).max(10_000).optional(),
    collection: collectionName.optional(),
    state: documentState.exclude(['deleting']).optional(),
    /** A part of title, file name or external id, whatever its case. */
    q: z.string().overwrite(visibleText).min(1).max(200).optional(),
    filter: metadataFilter.optional(),
    /** Only says what would be deleted. */
    dry_run: z.boolean().optional(),
  })
  .refine(({ dry_run: _, ...conditions }) => Object.values(conditions).some((one) => one !== undefined), {
    message: 'needs at least one condition',
  });
export type DeleteDocumentsRequest = z.infer<typeof deleteDocumentsRequest>;

export const documentsDeleted = z.object({
  /** How many documents were (dry run: would be) deleted, and the first thousand of them. */
  deleted: z.int().min(0),
  ids: z.array(z.string()),
  dry_run: z.boolean(),
});
export type DocumentsDeleted = z.infer<typeof documentsDeleted>;
