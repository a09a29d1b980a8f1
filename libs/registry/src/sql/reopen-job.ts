import type { JobTurn } from '../upload-turns.ts';
import { first, run, type Steps } from './steps.ts';

/** An ended job as it begins again, for a new version. */
export function reopened(version: number, turn: JobTurn) {
  return {
    turn,
    version,
    status: 'queued',
    stage: null,
    progress: 0,
    message: 'Queued again',
    etaMs: null,
    result: null,
    error: null,
    errorCode: null,
    retryCount: 0,
    deliveries: 0,
    cancelRequested: false,
    startedAt: null,
    completedAt: null,
  } as const;
}

/** A new version of what an earlier one was built from. False: that one is not known any more. */
export function* copyVersion(documentId: string, from: number, to: number, at: number): Steps<boolean> {
  const made = yield* first(
    `INSERT INTO versions (document_id, version, state, job_id, title, title_given, filename, media_type, metadata,
                           content_hash, original_hash, settings_hash, bytes, created_at)
     SELECT document_id, CAST(:to AS BIGINT), 'building', job_id, title, title_given, filename, media_type, metadata,
            content_hash, original_hash, settings_hash, bytes, CAST(:at AS BIGINT)
       FROM versions WHERE document_id = :documentId AND version = :from AND original_hash IS NOT NULL
     RETURNING version`,
    { documentId, from, to, at },
  );
  if (made === undefined) return false;
  yield* run('UPDATE documents SET next_version = :next WHERE id = :documentId', {
    next: to + 1,
    documentId,
  });
  return true;
}
