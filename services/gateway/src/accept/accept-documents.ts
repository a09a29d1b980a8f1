import {
  type DocumentJobPayload,
  defaultCollection,
  idsWaitMs,
  type JobStatus,
  newId,
  stages,
  type UploadAccepted,
  type UploadFields,
} from '@vortex/contracts';
import { type ChunkSettings, chunkSettings, settingsHash } from '@vortex/documents';
import type { Acceptance, IdempotencyKey, JobRecord, NewDocument } from '@vortex/registry';
import { assertMayFill } from '../access/collection-access.ts';
import type { GatewayParts } from '../dependencies.ts';
import type { Exchange } from '../exchange.ts';
import { idempotencyConflict } from '../idempotency.ts';
import { assertWithinLimits } from '../input-limits.ts';
import { storedBounds } from '../limits/key-bounds.ts';
import { assertWebhookAddress, secretOfAddress } from '../webhook-address.ts';

/**
 * How documents come in, whatever they came as:
 *
 *   arrived ──acceptDocuments──► accepted ──original placed──► placed ──admitted, or waits for its tenant's turn──► 202
 *                  │                 └──────── disk, or Redis, fails ──► undone, 503: nothing is kept
 *                  └──► unchanged, exists, repeated, conflict: nothing is queued
 *
 * The original is placed after the registry knows who owns it: a purge that meets it then finds an owner, so it
 * cannot take away what was just stored. A gateway that dies in between leaves a job without its original, which
 * fails with advice, or runs once the client, who has no answer, has sent the same again.
 */
export interface ArrivedDocument {
  filename: string | null;
  /** Stands for the document's identity when the request gives no `external_id`. */
  name: string;
  mediaType: string;
  /** SHA-256 of the bytes. */
  hash: string;
  bytes: number;
  /** Puts the bytes into the originals' store. */
  place(): Promise<void>;
}

export interface AcceptedDocument {
  outcome: Acceptance['outcome'];
  status: 200 | 202;
  answer: UploadAccepted;
}

/**
 * One answer per document, in their order.
 * @throws HttpProblem 409 `idempotency_conflict`, 422 for the webhook's address or too much metadata; QueueFull, QueueUnavailable;
 * CollectionDeleting; errors of disk and registry. Nothing is kept then.
 */
export async function acceptDocuments(
  parts: GatewayParts,
  exchange: Exchange,
  documents: readonly ArrivedDocument[],
  fields: UploadFields,
  idempotency: IdempotencyKey | null,
): Promise<AcceptedDocument[]> {
  assertWithinLimits(parts.settings, fields);
  const { webhook_url: webhookUrl, collection } = fields;
  const { caller } = exchange;
  const { tenant } = caller;
  assertMayFill(caller, collection);
  if (webhookUrl !== undefined) assertWebhookAddress(parts.webhookRules, webhookUrl, '/webhook_url');
  const { settings: chunking, notes } = await chunkingOf(parts, tenant, fields);
  const planned = documents.map((document) => plannedDocument(exchange, document, fields, chunking));
  const accepted = await parts.registry.acceptDocuments(
    planned,
    idempotency ?? undefined,
    storedBounds(caller),
  );
  if (accepted.outcome === 'conflict') throw idempotencyConflict();
  const secret = webhookUrl === undefined ? undefined : await secretOfAddress(parts, tenant, webhookUrl);
  if (accepted.outcome === 'accepted') {
    await queueAccepted(parts, tenant, documents, planned, accepted.documents, idempotency?.key);
  } else await restoreOriginals(parts, documents);
  exchange.jobId = accepted.documents.find(({ jobId }) => jobId !== null)?.jobId ?? undefined;
  const { registry } = parts;
  return Promise.all(
    accepted.documents.map(async (acceptance, place) => {
      const { outcome, jobId } = acceptance;
      const building =
        outcome === 'unchanged' && jobId !== null ? await registry.getJob(tenant, jobId) : null;
      return answerFor(acceptance, planned[place], building?.status, notes, secret);
    }),
  );
}

/** Places the originals and puts the jobs into the queue; or takes everything back. */
async function queueAccepted(
  parts: GatewayParts,
  tenant: string,
  documents: readonly ArrivedDocument[],
  planned: readonly NewDocument[],
  acceptances: readonly Acceptance[],
  key: string | undefined,
): Promise<void> {
  const queued = new Set<string>();
  const waiting: string[] = [];
  try {
    for (const [place, acceptance] of acceptances.entries()) {
      const document = documents[place];
      const plan = planned[place];
      if (document === undefined || plan === undefined || acceptance.outcome === 'exists') continue;
      // Of an unchanged document too: where somebody has lost its original, this brings it back. One that is there
      // is left alone, for replacing 200 MB by themselves took 90 ms of the answer's time.
      if (!(await parts.originals.has(document.hash))) await document.place();
      if (acceptance.outcome !== 'accepted') continue;
      const { jobId, isReleased } = acceptance;
      if (!isReleased) {
        waiting.push(jobId);
        continue;
      }
      await admitUpload(parts, { ...plan.job, id: jobId, tenant, collection: plan.collection });
      queued.add(jobId);
    }
    if (waiting.length > 0) {
      await parts.waitingRoom.enter(waiting.length);
      await letWait(parts, tenant, waiting);
    }
  } catch (error) {
    await undo(parts, tenant, acceptances, queued, key);
    throw error;
  }
}

/** Of a request that was answered before, or cut off before its originals were placed: those that are owned and not there. */
async function restoreOriginals(parts: GatewayParts, documents: readonly ArrivedDocument[]): Promise<void> {
  const { originals, registry } = parts;
  for (const document of documents) {
    if (await originals.has(document.hash)) continue;
    const owned = await registry.ownedContents('original', [document.hash]);
    if (owned.has(document.hash)) await document.place();
  }
}

/**
 * Jobs that are ready wait for their turn in the registry; those whose turn it is by now go on the list. What Redis does
 * not take is on its way all the same: the sweeper puts it there. @throws errors of the registry
 */
export async function letWait(
  parts: Pick<GatewayParts, 'registry' | 'submitter' | 'log' | 'settings'>,
  tenant: string,
  jobIds: readonly string[],
): Promise<void> {
  const released = await parts.registry.letWait(tenant, jobIds);
  // They were accepted, with room for all of them: refusing one now would lose it.
  const pushed = released.map((job) => admitUpload(parts, job, Number.MAX_SAFE_INTEGER));
  const refused = (await Promise.allSettled(pushed)).find(({ status }) => status === 'rejected');
  if (refused?.status !== 'rejected') return;
  const err: unknown = refused.reason;
  parts.log.warn({ err, job_id: jobIds[0] }, 'jobs are not in the queue yet; the sweeper puts them there');
}

/** Puts a job's id on the list of uploads. @throws QueueFull, QueueUnavailable */
export async function admitUpload(
  parts: Pick<GatewayParts, 'submitter' | 'settings'>,
  job: Pick<JobRecord, 'id' | 'type' | 'tenant' | 'collection' | 'payload' | 'maxRetries'>,
  cap: number = parts.settings.max_live_documents,
): Promise<void> {
  const { id, type, tenant, collection, payload, maxRetries } = job;
  await parts.submitter.enqueue({
    list: stages.upload.list,
    lane: stages.upload.lane,
    id,
    deadlineAt: Date.now() + idsWaitMs,
    envelope: 'bare',
    cap,
    track: { type, tenant, collection, payload, maxRetries },
  });
}

async function undo(
  parts: GatewayParts,
  tenant: string,
  acceptances: readonly Acceptance[],
  queued: ReadonlySet<string>,
  key: string | undefined,
): Promise<void> {
  const { registry, originals, submitter, log } = parts;
  // What Redis has taken already is dropped by its worker, which finds no such job; the mark only saves it the look.
  await Promise.allSettled([...queued].map((id) => submitter.cancel(id)));
  const jobs = acceptances.flatMap((one) => (one.outcome === 'accepted' ? [one.jobId] : []));
  try {
    const left = await registry.undoAcceptance(tenant, jobs, key);
    for (const hash of left.originals) {
      await originals.discard(hash, async () => (await registry.ownedContents('original', [hash])).has(hash));
    }
  } catch (error) {
    log.error({ err: error, jobs }, 'an acceptance could not be taken back; the sweeper will run its jobs');
  }
}

function plannedDocument(
  exchange: Exchange,
  document: ArrivedDocument,
  fields: UploadFields,
  chunking: ChunkSettings,
): NewDocument {
  const { filename, mediaType, hash, bytes } = document;
  const collection = fields.collection ?? defaultCollection;
  const externalId = fields.external_id ?? document.name;
  const title = fields.title ?? null;
  const metadata = fields.metadata ?? {};
  const payload: DocumentJobPayload = {
    ...{ collection, external_id: externalId, filename, title },
    ...{ media_type: mediaType, content_hash: hash, bytes, metadata },
    chunk_size: chunking.maxTokens,
    chunk_overlap: chunking.overlapTokens,
    chunking_strategy: chunking.strategy,
  };
  return {
    ...{
      tenant: exchange.caller.tenant,
      collection,
      externalId,
      filename,
      title,
      mediaType,
      metadata,
      bytes,
    },
    contentHash: hash,
    settingsHash: settingsHash({ mediaType, title, metadata, chunking }),
    ifExists: fields.if_exists ?? 'replace',
    job: {
      id: newId('job'),
      type: 'document_upload',
      payload,
      // The first try is none.
      maxRetries: stages.upload.maxAttempts - 1,
      webhookUrl: fields.webhook_url ?? null,
      traceparent: exchange.traceparent,
    },
  };
}

async function chunkingOf(
  parts: GatewayParts,
  tenant: string,
  fields: UploadFields,
): Promise<{ settings: ChunkSettings; notes: string[] }> {
  const collection = await parts.registry.getCollection(tenant, fields.collection ?? defaultCollection);
  const asked: Partial<ChunkSettings> = {
    ...(fields.chunk_size !== undefined && { maxTokens: fields.chunk_size }),
    ...(fields.chunk_overlap !== undefined && { overlapTokens: fields.chunk_overlap }),
    ...(fields.chunking_strategy !== undefined && { strategy: fields.chunking_strategy }),
  };
  return chunkSettings(asked, collection, parts.chunking, parts.model.maxTokens);
}

function answerFor(
  acceptance: Acceptance,
  planned: NewDocument | undefined,
  building: JobStatus | undefined,
  notes: string[],
  secret: string | undefined,
): AcceptedDocument {
  const { outcome, documentId, jobId, createdAt } = acceptance;
  const what = planned?.filename ?? planned?.externalId ?? 'The document';
  const words = {
    accepted: { status: 'queued', message: `${what} is queued; its progress is at /api/jobs/${jobId}.` },
    unchanged: {
      // An end that is none of these is for its job to tell.
      status:
        building === 'queued' || building === 'retrying'
          ? building
          : jobId === null
            ? 'completed'
            : 'processing',
      message: `${what} is there already with the same bytes and settings; nothing is to be done.`,
    },
    exists: { status: 'skipped', message: `${what} is there already; it was left as it is (if_exists).` },
  } as const;
  return {
    outcome,
    status: outcome === 'accepted' ? 202 : 200,
    answer: {
      job_id: jobId,
      ...words[outcome],
      created_at: new Date(createdAt).toISOString(),
      document_id: documentId,
      status_url: jobId === null ? null : `/api/jobs/${jobId}`,
      filename: planned?.filename ?? null,
      ...(outcome === 'unchanged' && { deduplicated: true }),
      ...(notes.length > 0 && { notes }),
      ...(secret !== undefined && outcome === 'accepted' && { webhook_secret: secret }),
    },
  };
}
