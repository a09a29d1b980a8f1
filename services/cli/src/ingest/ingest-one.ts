import { setTimeout as delay } from 'node:timers/promises';
import { ApiProblem, isPassing, type VortexClient } from '@vortex/client';
import type { JobEvent, UploadAccepted, UploadFields } from '@vortex/contracts';
import { messageOf } from '../problem.ts';
import type { FoundFile } from './find-files.ts';

/** What became of a file. */
export interface IngestedFile {
  path: string;
  name: string;
  /**
   * `unchanged`: the same bytes with the same settings were there. `skipped`: there was one, and it was to be
   * left alone. `waiting`: accepted, but the end was not waited for. `not_sent`: stopped before.
   */
  status: 'completed' | 'unchanged' | 'skipped' | 'failed' | 'cancelled' | 'waiting' | 'not_sent';
  job_id: string | null;
  document_id: string | null;
  chunk_count: number | null;
  seconds: number | null;
  error: string | null;
  error_code: string | null;
  /** What the server did otherwise than asked, e.g. a clamped chunk size. */
  notes: string[];
}

export interface FileProgress {
  sent(bytes: number, total: number): void;
  /** Waiting for a gateway that is away, or has no room. */
  held(reason: string): void;
  job(event: JobEvent): void;
}

/** How long a gateway is asked again: one that does not answer, and one that says it has no room. */
export const patience = { awayMs: 15_000, fullMs: 15 * 60_000 } as const;

/**
 * Uploads a file and follows its job to the end. What is wrong with the file, or what the gateway refuses
 * (409, 413, 415 …), is the file's failure.
 * @throws GatewayUnreachable when the gateway stays away; nothing for an aborted signal (`waiting`, `not_sent`)
 */
export async function ingestOne(options: {
  client: VortexClient;
  file: FoundFile;
  fields: UploadFields;
  progress: FileProgress;
  signal: AbortSignal;
}): Promise<IngestedFile> {
  const { client, file, progress, signal } = options;
  const startedAt = performance.now();
  let accepted: UploadAccepted | null = null;
  const result = (status: IngestedFile['status'], more: Partial<IngestedFile> = {}): IngestedFile => ({
    path: file.path,
    name: file.name,
    status,
    job_id: accepted?.job_id ?? null,
    document_id: accepted?.document_id ?? null,
    chunk_count: null,
    seconds: (performance.now() - startedAt) / 1000,
    error: null,
    error_code: null,
    notes: accepted?.notes ?? [],
    ...more,
  });
  try {
    accepted = await uploadPatiently(options);
    if (accepted.job_id === null || accepted.status === 'completed' || accepted.status === 'skipped') {
      const { chunks } = await client.documents.get(accepted.document_id, { signal });
      return result(accepted.status === 'skipped' ? 'skipped' : 'unchanged', { chunk_count: chunks });
    }
    for await (const event of client.jobEvents(accepted.job_id, { signal })) progress.job(event);
    const job = await client.waitForJob(accepted.job_id, { signal });
    if (job.status === 'completed') {
      const { chunk_count } = job.result ?? {};
      return result('completed', { chunk_count: typeof chunk_count === 'number' ? chunk_count : null });
    }
    return result(job.status === 'cancelled' ? 'cancelled' : 'failed', {
      error: job.error ?? job.status,
      error_code: job.error_code,
    });
  } catch (error) {
    if (signal.aborted) return result(accepted === null ? 'not_sent' : 'waiting');
    if (isPassing(error) && !(error instanceof ApiProblem)) throw error;
    const code = error instanceof ApiProblem ? error.code : null;
    return result('failed', { error: messageOf(error), error_code: code });
  }
}

/** The same upload under the same key until it is answered: one that was accepted unheard is not done twice. */
async function uploadPatiently(options: Parameters<typeof ingestOne>[0]): Promise<UploadAccepted> {
  const { client, file, fields, progress, signal } = options;
  const idempotencyKey = crypto.randomUUID();
  let heldSince: number | null = null;
  for (let wait = 250; ; wait = Math.min(5000, wait * 2)) {
    try {
      const upload = { signal, idempotencyKey, onSent: progress.sent };
      return await client.upload(file.path, { ...fields, external_id: file.name }, upload);
    } catch (error) {
      const full = error instanceof ApiProblem && [429, 503].includes(error.status);
      if (signal.aborted || !(full || isPassing(error))) throw error;
      heldSince ??= performance.now();
      if (performance.now() - heldSince > (full ? patience.fullMs : patience.awayMs)) throw error;
      progress.held(messageOf(error));
      await delay(full ? (error.retryAfterMs ?? wait) : wait, undefined, { signal });
    }
  }
}
