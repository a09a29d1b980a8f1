import type { FinishedVersion, Publication } from '../records.ts';
import { number, numberOrNull, text, textOrNull } from '../rows.ts';
import { changeJob, isOpen, lockJobOfVersion } from './change-job.ts';
import {
  externalIdOf,
  findVersion,
  leaveBuilding,
  lockDocumentForSwitch,
  searchText,
  touchCollection,
} from './document-rows.ts';
import { writeDocumentEvent } from './outbox.ts';
import { first, type Row, run, type Steps } from './steps.ts';

/** The switch (registry.ts), in this order: document, version, collection, job, event. */
export function* publish(finished: FinishedVersion, at: number): Steps<Publication> {
  const { tenant, documentId, version } = finished;
  const document = yield* lockDocumentForSwitch(tenant, documentId);
  const row = yield* findVersion(documentId, version);
  if (document !== undefined && document.state === 'deleting') return 'deleted';
  if (document === undefined || row === undefined) return 'lost';
  if (row.state === 'visible') return 'published';
  if (row.state === 'superseded') return 'superseded';
  if (row.state === 'failed') return 'lost';
  if (number(document, 'visible_version') > version) {
    yield* leaveBuilding(row, 'superseded');
    yield* completeOvertaken(document, row, finished, at);
    return 'superseded';
  }
  yield* run(
    "UPDATE versions SET state = 'superseded' WHERE document_id = :documentId AND state = 'visible'",
    {
      documentId,
    },
  );
  yield* leaveBuilding(row, 'superseded');
  yield* makeVisible(document, row, finished, at);
  yield* touchCollection(tenant, text(document, 'collection'), at);
  yield* completeJob(row, finished, at);
  return 'published';
}

function* makeVisible(document: Row, row: Row, finished: FinishedVersion, at: number): Steps<void> {
  const { documentId, version, textHash, chunks, tokens } = finished;
  yield* run(
    `UPDATE versions SET state = 'visible', text_hash = :textHash, chunks = :chunks, tokens = :tokens
      WHERE document_id = :documentId AND version = :version`,
    { documentId, version, textHash, chunks, tokens },
  );
  const title = text(row, 'title');
  const filename = textOrNull(row, 'filename');
  yield* run(
    `UPDATE documents SET state = 'ready', visible_version = :version, title = :title, filename = :filename,
            media_type = :mediaType, metadata = :metadata, content_hash = :contentHash, text_hash = :textHash,
            bytes = :bytes, pages = :pages, chunks = :chunks, tokens = :tokens, search_text = :searchText,
            last_error_code = NULL, last_error = NULL, updated_at = :at
      WHERE id = :documentId`,
    {
      ...{ documentId, version, title, filename, textHash, chunks, tokens, at },
      mediaType: text(row, 'media_type'),
      metadata: text(row, 'metadata'),
      contentHash: text(row, 'content_hash'),
      bytes: number(row, 'bytes'),
      pages: numberOrNull(row, 'pages'),
      searchText: searchText(title, filename, externalIdOf(document)),
    },
  );
}

function* completeJob(row: Row, finished: FinishedVersion, at: number): Steps<void> {
  const { documentId, version, chunks } = finished;
  const document = yield* first('SELECT * FROM documents WHERE id = :documentId', { documentId });
  if (document === undefined) throw new Error(`document ${documentId} was published and is gone`);
  const jobId = text(row, 'job_id');
  const job = yield* lockJobOfVersion(jobId, documentId, version);
  const urls = [job?.record.webhookUrl ?? null];
  if (job !== null && isOpen(job)) {
    yield* changeJob(
      job,
      completed(document, finished, `Ready: ${chunks} ${chunks === 1 ? 'chunk' : 'chunks'}`, at),
      at,
    );
  }
  const more = { chunk_count: chunks };
  yield* writeDocumentEvent({ type: 'document.ready', document, version, jobId, more, urls }, at);
}

/**
 * The job did what it was asked; that a newer version is visible is no failure. Only its own `webhook_url` is told, of
 * the version that is visible: whoever waits for the end of this job would otherwise wait for ever.
 */
function* completeOvertaken(document: Row, row: Row, finished: FinishedVersion, at: number): Steps<void> {
  const { documentId, version } = finished;
  const job = yield* lockJobOfVersion(text(row, 'job_id'), documentId, version);
  if (job === null || !isOpen(job)) return;
  yield* changeJob(
    job,
    completed(document, finished, 'A newer version of the document was there first', at),
    at,
  );
  const { id, webhookUrl } = job.record;
  yield* writeDocumentEvent(
    {
      ...{ type: 'document.ready', document, version: number(document, 'visible_version'), jobId: id },
      ...{ more: { chunk_count: number(document, 'chunks') }, urls: [webhookUrl], onlyUrls: true },
    },
    at,
  );
}

function completed(document: Row, { chunks, result }: FinishedVersion, message: string, at: number) {
  return {
    status: 'completed',
    stage: null,
    progress: 100,
    message,
    etaMs: null,
    error: null,
    errorCode: null,
    completedAt: at,
    result: {
      document_id: text(document, 'id'),
      external_id: externalIdOf(document),
      collection: text(document, 'collection'),
      chunk_count: chunks,
      ...result,
    },
  } as const;
}
