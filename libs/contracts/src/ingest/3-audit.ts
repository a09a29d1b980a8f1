import { z } from 'zod';
import { collectionName, jobHeader } from '../envelope.ts';

/** `job:retriever_audit`: compare what the store holds with what the registry says. */
export const auditInput = jobHeader.extend({
  /** All collections of the tenant when absent. */
  collection: collectionName.optional(),
  /** Mend what can be mended without losing anything a document needs. */
  repair: z.boolean().default(false),
});

/** `POST /api/audit`. */
export const auditRequest = z.strictObject({
  collection: collectionName.optional(),
  repair: z.boolean().optional(),
});
export type AuditRequest = z.infer<typeof auditRequest>;

/**
 * - `missing_rows`, `surplus_rows`: a visible version has fewer or more rows in the store than the registry's chunks.
 * - `orphan_rows`: rows of a version that is neither visible nor being built (and not merely waiting for its purge).
 * - `lexical_mismatch`: the BM25 index does not hold exactly the stored rows.
 * - `foreign_rows`: rows of another tenant, or of a collection that does not exist.
 * - `orphan_original`, `orphan_text`: a file in the data folder that no version owns.
 * - `missing_original`, `missing_text`: a version's file is not in the data folder.
 */
export const auditProblem = z.object({
  kind: z.enum([
    'missing_rows',
    'surplus_rows',
    'orphan_rows',
    'lexical_mismatch',
    'foreign_rows',
    'orphan_original',
    'orphan_text',
    'missing_original',
    'missing_text',
  ]),
  collection: z.string().nullable(),
  document_id: z.string().nullable(),
  version: z.int().nullable(),
  detail: z.string(),
  repaired: z.boolean(),
});
export type AuditProblem = z.infer<typeof auditProblem>;

export const auditReport = z.object({
  /** Nothing is wrong, or nothing any more after the repair. */
  clean: z.boolean(),
  collections: z.array(
    z.object({
      name: z.string(),
      /** Visible documents and their chunks, by the registry. */
      documents: z.int(),
      chunks: z.int(),
      /** Rows of visible versions in the store, and in its BM25 index. */
      stored_rows: z.int(),
      lexical_rows: z.int(),
      /** Versions that are invisible and whose rows are still being purged: no problem, only not finished. */
      pending_purges: z.int(),
    }),
  ),
  originals: z.int(),
  texts: z.int(),
  /** At most a thousand; `problem_count` counts all. */
  problems: z.array(auditProblem),
  problem_count: z.int(),
});
export type AuditReport = z.infer<typeof auditReport>;
