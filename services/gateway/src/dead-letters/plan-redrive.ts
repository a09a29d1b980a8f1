import { isUtf8 } from 'node:buffer';
import {
  batchListOf,
  defaultDeadlineMs,
  envelopeVersion,
  idsWaitMs,
  type StageName,
  type StageRow,
  stages,
} from '@vortex/contracts';
import {
  bareId,
  changeHeader,
  derivedId,
  elementOfLetter,
  type FoundLetter,
  firstFields,
  parseObject,
  type RedriveOrder,
  type TrackedAs,
} from '@vortex/queue';
import type { GatewayProblemCode } from '../problem.ts';

/**
 * What a letter's job would be on its list again, or why it cannot be. A job that the stage would bury unread once
 * more is not taken back: that would only turn the letter over.
 */
export type RedrivePlan =
  | ({ kind: 'envelope'; isBatch: boolean; deadlineRenewed: boolean } & Omit<RedriveOrder, 'cap'>)
  /** The registry must open its job again first. */
  | { kind: 'id'; id: string; deadlineAt: number }
  | { kind: 'refused'; code: GatewayProblemCode; advice: string };

/** A deadline that is nearer than this is as good as passed: the job has to wait its turn. */
const leastTimeMs = 5000;

/** Questions are shown under `GET /api/jobs/{id}` whether or not they were asked so: somebody wants to see this end. */
const shown: ReadonlySet<StageName> = new Set(['encode', 'retrieve', 'generate', 'ingest']);

export function planRedrive({ stage, letter }: FoundLetter, now: number): RedrivePlan {
  const row: StageRow = stages[stage];
  if (letter === null) {
    return refused(
      'dead_letter_unreadable',
      'This element of the dead list was not written by a worker. Look at `raw`, push what it should be on ' +
        `${row.list} by hand, then DELETE the letter.`,
    );
  }
  const bytes = elementOfLetter(letter);
  if (bytes === null) {
    return refused(
      'dead_letter_not_redrivable',
      `Only ${Buffer.byteLength(letter.raw, letter.encoding)} of the job's ${letter.bytes} bytes were kept. ` +
        'Send the request (or upload the document) again, then DELETE the letter.',
    );
  }
  const element = isUtf8(bytes) ? bytes.toString('utf8') : null;
  if (row.elements === 'ids') {
    const id = element === null ? null : bareId(element);
    if (id !== null) return { kind: 'id', id, deadlineAt: now + idsWaitMs };
    return unreadable(row, 'it is no job id');
  }
  if (element === null) return unreadable(row, 'its bytes are not valid UTF-8');
  return planEnvelope(stage, row, element, now);
}

function planEnvelope(stage: StageName, row: StageRow, element: string, now: number): RedrivePlan {
  const fields = parseObject(element);
  if (fields === null) return unreadable(row, 'it is no JSON object');
  if (fields.v !== undefined && fields.v !== envelopeVersion) {
    return unreadable(row, `this Vortex reads version ${envelopeVersion} of envelopes`);
  }
  const id = row.idFromBytes === true && fields.id === undefined ? derivedId(element) : fields.id;
  const parsed = row.input.safeParse({ ...fields, id });
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`);
    return unreadable(row, issues.join('; ').slice(0, 1000));
  }
  const {
    id: jobId,
    deadline_at,
    track,
    class: jobClass,
    tenant,
    collection,
  } = parsed.data as {
    id: string;
    tenant: string;
    collection?: string;
    deadline_at?: number;
    track?: boolean;
    class?: 'interactive' | 'batch';
  };
  const deadlineRenewed = deadline_at !== undefined && deadline_at < now + leastTimeMs;
  const deadlineAt =
    deadline_at === undefined || deadlineRenewed ? now + defaultDeadlineMs[row.lane] : deadline_at;
  const isBatch = jobClass === 'batch';
  const tracked = track === true || shown.has(stage);
  return {
    kind: 'envelope',
    // What nobody waits for goes back behind what somebody does.
    list: (isBatch ? batchListOf(stage) : null) ?? row.list,
    isBatch,
    id: jobId,
    deadlineAt,
    deadlineRenewed,
    element: changeHeader(element, {
      id: jobId,
      deadline_at: deadlineAt,
      enqueued_at: now,
      ...(tracked && { track: true }),
      first_at: undefined,
      attempt: undefined,
      redelivered: undefined,
      // Any replica may take it now.
      replica: undefined,
      exclude: undefined,
    }),
    track: tracked
      ? trackOf(
          jobId,
          { type: stage === 'ingest' ? stage : 'query', tenant, collection, maxRetries: row.maxAttempts - 1 },
          now,
        )
      : undefined,
  };
}

/** The live view of a job that begins anew: what it was asked stays, how it ended goes. */
export function trackOf(id: string, job: TrackedAs, now: number): { first: string; fields: string } {
  const { type, payload, maxRetries } = job;
  const over = ['error', 'error_code', 'message', 'stage', 'eta_ms', 'result', 'started_at', 'completed_at'];
  return {
    first: JSON.stringify(firstFields(id, type, job, { payload, maxRetries })),
    fields: JSON.stringify({
      ...Object.fromEntries(over.map((name) => [name, null])),
      status: 'queued',
      progress: '0',
      retry_count: '0',
      updated_at: new Date(now).toISOString(),
    }),
  };
}

function unreadable({ list }: StageRow, why: string): RedrivePlan {
  return refused(
    'dead_letter_unreadable',
    `The stage would bury the job unread once more: ${why}. Push a mended one on ${list} by hand, then DELETE the letter.`,
  );
}

function refused(code: GatewayProblemCode, advice: string): RedrivePlan {
  return { kind: 'refused', code, advice };
}
