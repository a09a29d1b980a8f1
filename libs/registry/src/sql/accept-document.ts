import { newId } from '@vortex/contracts';
import type { Acceptance, NewDocument } from '../acceptance.ts';
import { number, text } from '../rows.ts';
import type { JobTurn } from '../upload-turns.ts';
import { changeJob, isOpen, lockJob, noteJobEvent, type StoredJob, storedJobFrom } from './change-job.ts';
import { refreshState, searchText } from './document-rows.ts';
import { reopened } from './reopen-job.ts';
import { first, type Row, run, type Steps } from './steps.ts';

/**
 * One document of an acceptance; its collection is locked (shared). In this order:
 * 1. its job is open: this is the same acceptance once more, answered as the first time;
 * 2. the newest version that lives (visible, or being built by an open job) is of the same bytes and settings: `unchanged`.
 *    Only the newest: A, B, A means A, so A is built again while B is on its way;
 * 3. there is a living version and `ifExists` is not `replace`: `exists`. (A document whose attempts have all failed
 *    does not count: nobody could ever upload it again with `skip`.)
 * 4. a new version and its job, or the ended job of that id begun anew.
 */
export function* acceptDocument(
  asked: NewDocument,
  { madeCollection, turn }: { madeCollection: boolean; turn: JobTurn },
  at: number,
): Steps<Acceptance> {
  let before = yield* lockIdentity(asked);
  let job = yield* lockOwnJob(asked);
  if (job !== null && isOpen(job)) return acceptedAs(job);
  const made = before === undefined ? yield* createDocument(asked, at) : undefined;
  if (before === undefined && made === undefined) {
    // Another request made it between the two statements, perhaps this very one redelivered; it has ended by now.
    before = yield* lockIdentity(asked);
    job = yield* lockOwnJob(asked);
    if (job !== null && isOpen(job)) return acceptedAs(job);
  }
  if (before !== undefined) {
    const settled = yield* settledBefore(before, asked);
    if (settled !== null) return settled;
  }
  const document = before ?? made;
  if (document === undefined) throw new Error(`document ${asked.externalId} is neither new nor there`);
  const documentId = text(document, 'id');
  const version = number(document, 'next_version');
  yield* run(
    `INSERT INTO versions (document_id, version, state, job_id, title, title_given, filename, media_type, metadata,
                           content_hash, original_hash, settings_hash, bytes, created_at)
     VALUES (:documentId, :version, 'building', :jobId, :title, :titleGiven, :filename, :mediaType, :metadata,
             :contentHash, :contentHash, :settingsHash, :bytes, :at)`,
    {
      documentId,
      version,
      jobId: asked.job.id,
      title: asked.title ?? asked.externalId,
      titleGiven: asked.title === null ? 0 : 1,
      filename: asked.filename,
      mediaType: asked.mediaType,
      metadata: JSON.stringify(asked.metadata),
      contentHash: asked.contentHash,
      settingsHash: asked.settingsHash,
      bytes: asked.bytes,
      at,
    },
  );
  yield* run('UPDATE documents SET next_version = :next WHERE id = :documentId', {
    next: version + 1,
    documentId,
  });
  const begun =
    job === null
      ? yield* createJob(
          asked,
          { documentId, version, madeDocument: before === undefined, madeCollection, turn },
          at,
        )
      : yield* reopenFor(job, asked, { documentId, version, turn }, at);
  if (before !== undefined) yield* refreshState(documentId);
  return acceptedAs(begun);
}

function* lockOwnJob({ tenant, job: { id } }: NewDocument): Steps<StoredJob | null> {
  const job = yield* lockJob(id);
  if (job !== null && job.record.tenant !== tenant) {
    throw new Error(`job ${id} cannot be accepted: another tenant has a job of that id`);
  }
  return job;
}

function acceptedAs({ record }: StoredJob): Acceptance {
  const { documentId, version, createdAt, id, turn } = record;
  const isReleased = turn === 'released' || turn === 'aside';
  return { outcome: 'accepted', documentId, version, createdAt, jobId: id, isReleased };
}

function* settledBefore(document: Row, asked: NewDocument): Steps<Acceptance | null> {
  const documentId = text(document, 'id');
  const living = yield* first(
    `SELECT * FROM versions v WHERE v.document_id = :documentId AND (v.state = 'visible' OR (v.state = 'building' AND
            EXISTS (SELECT 1 FROM jobs j WHERE j.id = v.job_id AND j.version = v.version AND j.completed_at IS NULL)))
      ORDER BY v.version DESC LIMIT 1`,
    { documentId },
  );
  if (living === undefined) return null;
  const answer = {
    documentId,
    version: number(living, 'version'),
    createdAt: number(document, 'created_at'),
  };
  if (living.content_hash === asked.contentHash && living.settings_hash === asked.settingsHash) {
    const jobId = living.state === 'building' ? text(living, 'job_id') : null;
    return { ...answer, outcome: 'unchanged', jobId };
  }
  return asked.ifExists === 'replace' ? null : { ...answer, outcome: 'exists', jobId: null };
}

function* lockIdentity({ tenant, collection, externalId }: NewDocument): Steps<Row | undefined> {
  return yield* first(
    `SELECT * FROM documents WHERE tenant = :tenant AND collection = :collection AND external_id = :externalId
        FOR UPDATE`,
    { tenant, collection, externalId },
  );
}

/** Undefined: there is one. A request that makes the same one at the same moment is waited for here. */
function* createDocument(asked: NewDocument, at: number): Steps<Row | undefined> {
  const { tenant, collection, externalId, filename, mediaType, bytes } = asked;
  const title = asked.title ?? externalId;
  return yield* first(
    `INSERT INTO documents (id, tenant, collection, external_id, title, filename, media_type, state, bytes, metadata,
                            search_text, created_at, updated_at)
     VALUES (:id, :tenant, :collection, :externalId, :title, :filename, :mediaType, 'pending', :bytes, :metadata,
             :searchText, :at, :at) ON CONFLICT DO NOTHING RETURNING *`,
    {
      ...{ id: newId('doc'), tenant, collection, externalId, title, filename, mediaType, bytes, at },
      metadata: JSON.stringify(asked.metadata),
      searchText: searchText(title, filename, externalId),
    },
  );
}

interface Begun {
  documentId: string;
  version: number;
  madeDocument: boolean;
  madeCollection: boolean;
  turn: JobTurn;
}

function* createJob(
  { tenant, collection, externalId, job }: NewDocument,
  begun: Begun,
  at: number,
): Steps<StoredJob> {
  const row = yield* first(
    `INSERT INTO jobs (id, tenant, type, status, message, payload, max_retries, collection, document_id, external_id,
                       version, webhook_url, traceparent, made_document, made_collection, turn, last_event, created_at, updated_at)
     VALUES (:id, :tenant, :type, 'queued', 'Queued', :payload, :maxRetries, :collection, :documentId, :externalId,
             :version, :webhookUrl, :traceparent, :madeDocument, :madeCollection, :turn, 1, :at, :at) RETURNING *`,
    {
      ...{ tenant, collection, externalId, at, documentId: begun.documentId, version: begun.version },
      ...{ id: job.id, type: job.type, maxRetries: job.maxRetries },
      ...{ webhookUrl: job.webhookUrl, traceparent: job.traceparent },
      payload: JSON.stringify(job.payload),
      madeDocument: begun.madeDocument ? 1 : 0,
      madeCollection: begun.madeCollection ? 1 : 0,
      turn: begun.turn,
    },
  );
  if (row === undefined) throw new Error(`job ${job.id} was inserted but not returned`);
  const created = storedJobFrom(row);
  yield* noteJobEvent(created, at);
  return created;
}

function* reopenFor(
  job: StoredJob,
  asked: NewDocument,
  { documentId, version, turn }: Pick<Begun, 'documentId' | 'version' | 'turn'>,
  at: number,
): Steps<StoredJob> {
  const { type, payload, maxRetries, webhookUrl, traceparent } = asked.job;
  yield* run(
    `UPDATE jobs SET type = :type, payload = :payload, max_retries = :maxRetries, webhook_url = :webhookUrl,
            traceparent = :traceparent, collection = :collection, document_id = :documentId,
            external_id = :externalId, made_document = 0, made_collection = 0 WHERE id = :id`,
    {
      ...{ type, maxRetries, webhookUrl, traceparent, documentId, id: job.record.id },
      ...{ collection: asked.collection, externalId: asked.externalId, payload: JSON.stringify(payload) },
    },
  );
  const record = { ...job.record, documentId, collection: asked.collection };
  return yield* changeJob({ ...job, record }, reopened(version, turn), at);
}
