import type { Redis } from 'ioredis';
import { QueueUnavailable } from './errors.ts';
import { keys } from './keys.ts';
import { firstFields } from './live-view.ts';
import { runScript, words } from './scripts.ts';
import type { SubmittedJob, TrackedAs } from './submitter.ts';
import { atTurnEnd } from './turn-end.ts';

/**
 * Admits tracked jobs that nobody waits for: those of one turn of the event loop in one script, as the settler
 * does with ends. Measured at `POST /ingest` with 64 connections: 30 µs of Redis per document become 9, and the
 * gateway saves a command, a timer and a parsed reply for all but one of them.
 */
export interface AdmissionGatherer {
  /** @throws QueueUnavailable */
  admit(job: SubmittedJob, track: TrackedAs): Promise<'OK' | 'DUP' | 'FULL'>;
}

type Word = 'OK' | 'DUP' | 'FULL';

/** Bounds what one call asks of Redis: some hundred microseconds. */
const maxBatchJobs = 64;
const maxBatchBytes = 512 * 1024;

interface Batch {
  /** Of the first: all of a batch share list, lane, cap, kind, number of retries and owner. */
  job: SubmittedJob;
  track: TrackedAs;
  latestDeadline: number;
  bytes: number;
  jobKeys: string[];
  args: (string | number | Buffer)[];
  waits: { resolve: (answer: Word) => void; reject: (error: unknown) => void }[];
}

export function createAdmissionGatherer(commands: Redis): AdmissionGatherer {
  let gathered = new Map<string, Batch>();

  function flush(): void {
    const batches = gathered;
    gathered = new Map();
    for (const batch of batches.values()) void send(batch);
  }

  async function send(batch: Batch): Promise<void> {
    const { job, track, waits } = batch;
    const { id: _id, ...fields } = firstFields('', track.type, track, {
      status: 'queued',
      maxRetries: track.maxRetries,
    });
    // A document may wait for hours behind others; its status must not be forgotten before its end.
    const keepSeconds = Math.max(3600, Math.ceil((batch.latestDeadline - Date.now()) / 1000) + 60);
    try {
      const reply = await runScript(
        commands,
        'admit-many',
        [keys.live(job.lane), job.list, keys.active, keys.recent, ...batch.jobKeys],
        [job.cap, JSON.stringify(Object.entries(fields).flat()), keepSeconds, ...batch.args],
      );
      const answers = words(reply, waits.length);
      for (const [place, { resolve }] of waits.entries()) resolve((answers[place] ?? 'OK') as Word);
    } catch (error) {
      const unavailable = new QueueUnavailable(
        'the queue did not take the job: Redis is down, slow or full',
        error,
      );
      for (const { reject } of waits) reject(unavailable);
    }
  }

  return {
    admit(job, track) {
      const element = elementOf(job, undefined);
      const payload = track.payload === undefined ? '' : JSON.stringify(track.payload);
      return new Promise((resolve, reject) => {
        const { type, maxRetries, tenant, collection = '' } = track;
        const name = `${job.list} ${job.lane} ${job.cap} ${type} ${maxRetries} ${tenant} ${collection}`;
        let batch = gathered.get(name);
        if (
          batch === undefined ||
          batch.waits.length >= maxBatchJobs ||
          batch.bytes + element.length > maxBatchBytes
        ) {
          if (batch !== undefined) void send(batch);
          else if (gathered.size === 0) atTurnEnd('settle', flush);
          batch = { job, track, latestDeadline: 0, bytes: 0, jobKeys: [], args: [], waits: [] };
          gathered.set(name, batch);
        }
        batch.bytes += element.length;
        batch.latestDeadline = Math.max(batch.latestDeadline, job.deadlineAt);
        batch.jobKeys.push(keys.job(job.id));
        batch.args.push(job.id, job.deadlineAt, element, payload);
        batch.waits.push({ resolve, reject });
      });
    },
  };
}

/**
 * What is pushed for a job: its id alone, or its envelope. What a client sent stays the bytes it is: as text, 8 kB
 * lived in the young generation until Redis had answered and was copied there by every collection (a quarter of
 * the gateway's CPU). Joined here and not by the script, which took 11 µs of Redis for 8 kB.
 */
export function elementOf(job: SubmittedJob, replyTo: string | undefined): string | Buffer {
  if (job.envelope === 'bare') return job.id;
  const envelope = JSON.stringify({
    id: job.id,
    v: 1,
    ...job.envelope,
    deadline_at: job.deadlineAt,
    enqueued_at: Date.now(),
    ...(replyTo !== undefined && { reply_to: replyTo }),
    ...(job.track && { track: true }),
  });
  if (job.body === undefined) return envelope;
  const rest = job.body.subarray(job.body.indexOf(openBrace) + 1);
  return Buffer.concat([Buffer.from(`${envelope.slice(0, -1)},`), rest]);
}

const openBrace = 0x7b;
