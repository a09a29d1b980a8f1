import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Chunk,
  completionOf,
  type JobHeader,
  StageFailure,
  stages,
  storeResult,
} from '@vortex/contracts';
import { QueueUnavailable, type Submitter } from '@vortex/queue';
import type { StoredGroup } from '@vortex/registry';

/**
 * Sends a version's chunks through the encoder's low lane into the store, in groups: each is a job of its
 * own, retried and committed on its own. At most `groupsInFlight` are under way, so neither this process
 * nor the lanes ever hold more of a large document than that.
 */
export interface GroupSender {
  /**
   * @param stored groups that need not be sent again.
   * @param onStored awaited for each group once it stands in the store, in any order.
   * @returns `stored`, or `dropped` when the store would not take a group: the version is not being built any more.
   * @throws StageFailure with the group's own code when a group ended badly; AbortError when the signal fires.
   */
  send(version: SentVersion, hooks: SendHooks): Promise<'stored' | 'dropped'>;
}

export interface SentVersion {
  job: JobHeader & { deadline_at: number };
  collection: string;
  documentId: string;
  version: number;
  title: string;
  chunks: Chunk[];
  stored: StoredGroup[];
}

export interface SendHooks {
  signal: AbortSignal;
  onStored(group: StoredGroup, result: { truncated: number }): Promise<void>;
}

const storeCompletion = completionOf(storeResult);

/** Groups are part of a document that has been admitted already: refusing them would only keep it in the chain. */
const noCap = Number.MAX_SAFE_INTEGER;

export function createGroupSender(options: {
  submitter: Pick<Submitter, 'submit'>;
  groupSize: number;
  groupsInFlight: number;
}): GroupSender {
  const { submitter, groupSize, groupsInFlight } = options;

  return {
    async send(sent, { signal, onStored }) {
      const groups = missingGroups(sent.chunks, sent.stored, groupSize);
      const stop = new AbortController();
      const stopped = AbortSignal.any([signal, stop.signal]);
      let dropped = false;

      async function sendNext(): Promise<void> {
        for (let group = groups.shift(); group !== undefined && !stopped.aborted; group = groups.shift()) {
          const result = await submitGroup(sent, group, stopped);
          if (result.stored < group.chunks.length) {
            dropped = true;
            stop.abort();
            return;
          }
          await onStored({ firstOrdinal: group.firstOrdinal, chunks: group.chunks.length }, result);
        }
      }
      const lines = await Promise.allSettled(
        Array.from({ length: groupsInFlight }, () =>
          sendNext().catch((error: unknown) => {
            stop.abort();
            throw error;
          }),
        ),
      );
      signal.throwIfAborted();
      if (dropped) return 'dropped';
      // The first real failure; the others were stopped because of it.
      const failures = lines.flatMap((line) => (line.status === 'rejected' ? [line.reason as unknown] : []));
      const failure = failures.find((error) => !(error instanceof DOMException)) ?? failures[0];
      if (failure !== undefined) throw failure;
      return 'stored';
    },
  };

  async function submitGroup(sent: SentVersion, group: Group, signal: AbortSignal) {
    const { job } = sent;
    const id = groupId(job, sent.version, group.firstOrdinal);
    const envelope = {
      tenant: job.tenant,
      ...(job.traceparent !== undefined && { traceparent: job.traceparent }),
      collection: sent.collection,
      document_id: sent.documentId,
      version: sent.version,
      title: sent.title,
      chunks: group.chunks,
    };
    for (let pauseMs = 50; ; pauseMs = Math.min(2000, pauseMs * 2)) {
      try {
        const text = await submitter.submit(
          {
            list: stages.embed.list,
            lane: stages.embed.lane,
            id,
            deadlineAt: job.deadline_at,
            envelope,
            cap: noCap,
          },
          { signal },
        );
        return resultOf(text, id);
      } catch (error) {
        // Redis away: the job is not at fault, so no attempt of it is used up. The deadline ends the waiting.
        if (!(error instanceof QueueUnavailable)) throw error;
        await delay(pauseMs * (0.5 + Math.random()), undefined, { signal });
      }
    }
  }
}

function resultOf(text: string, id: string) {
  const completion = storeCompletion.parse(JSON.parse(text));
  if (completion.status === 'completed') return completion;
  const { code, message, retryable } = completion.error;
  throw new StageFailure(code, `group ${id}: ${message}`, { mayRetry: retryable });
}

interface Group {
  firstOrdinal: number;
  chunks: Chunk[];
}

function missingGroups(chunks: Chunk[], stored: StoredGroup[], groupSize: number): Group[] {
  const done = new Map(stored.map((group) => [group.firstOrdinal, group.chunks]));
  const groups: Group[] = [];
  for (let firstOrdinal = 0; firstOrdinal < chunks.length; firstOrdinal += groupSize) {
    const group = chunks.slice(firstOrdinal, firstOrdinal + groupSize);
    if (done.get(firstOrdinal) !== group.length) groups.push({ firstOrdinal, chunks: group });
  }
  return groups;
}

/**
 * Deterministic, so that a redelivered document joins the groups its dead run has sent instead of doubling
 * them. A completion stands for 60 seconds: version and attempt are part of the id, or a new version would
 * take the old one's result for its own, and a retry the failure it is meant to undo.
 */
function groupId(job: JobHeader, version: number, firstOrdinal: number): string {
  const place = `:v${version}:a${job.attempt}:c${firstOrdinal}`;
  if (job.id.length + place.length <= 200) return job.id + place;
  return createHash('sha256').update(job.id).digest('hex') + place;
}
