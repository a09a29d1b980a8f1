import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { completionOf, type JobHeader, StageFailure, stages, storeResult } from '@vortex/contracts';
import { identifyChunks, type Piece } from '@vortex/documents';
import type { TraceCarrier } from '@vortex/observability';
import { QueueUnavailable, type Submitter } from '@vortex/queue';
import type { StoredGroup } from '@vortex/registry';
import { createGroupCutter, type Group } from './cut-groups.ts';
import type { Turns } from './turns.ts';

/**
 * Sends a version's pieces through the encoder's low lane into the store, in groups: each is a job of its own,
 * retried and committed on its own. At most `groupsInFlight` of a document are under way or in memory; when a group
 * is sent is a matter of turns (turns.ts).
 */
export interface GroupSender {
  /**
   * @returns `stored`, or `dropped` when the version is not wanted any more (its job was cancelled, its document
   * deleted): asked before each group, and said by the store.
   * @throws StageFailure with the group's own code when a group ended badly; AbortError when the signal fires.
   */
  send(version: SentVersion, hooks: SendHooks): Promise<'stored' | 'dropped'>;
}

export interface SentVersion {
  job: JobHeader & { deadline_at: number };
  /** The groups' traces link to it. */
  trace: TraceCarrier;
  collection: string;
  documentId: string;
  version: number;
  title: string;
  /** How many pieces there are. */
  pieces: number;
  /** The pieces from an ordinal on. */
  piecesFrom(ordinal: number): AsyncIterable<Piece>;
  /** Groups that need not be sent again. */
  stored: StoredGroup[];
}

export interface SendHooks {
  signal: AbortSignal;
  isWanted(): Promise<boolean>;
  /** Awaited for each group once it stands in the store, in any order. */
  onStored(group: StoredGroup, result: { truncated: number }): Promise<void>;
}

const storeCompletion = completionOf(storeResult);

export function createGroupSender(options: {
  submitter: Pick<Submitter, 'submit'>;
  turns: Turns;
  groupSize: number;
  groupsInFlight: number;
}): GroupSender {
  const { submitter, turns, groupSize, groupsInFlight } = options;

  return {
    async send(sent, { signal, isWanted, onStored }) {
      const groups = createGroupCutter(sent, groupSize);
      // A place is a chunk: documents of one chunk each would leave the encoder idle if each took a whole group's.
      const places = Math.min(groupSize, sent.pieces);
      const stop = new AbortController();
      const stopped = AbortSignal.any([signal, stop.signal]);
      let dropped = false;
      const drop = () => {
        dropped = true;
        stop.abort();
      };

      /** False: there is no group left, or none is wanted. */
      async function sendOne(): Promise<boolean> {
        // The turn first: a group that waits for its turn is not read yet.
        const turn = await turns.take(sent.job.tenant, sent.documentId, stopped, places);
        try {
          const group = await groups.next();
          if (group === null) return false;
          if (!(await isWanted())) {
            drop();
            return false;
          }
          const result = await submitGroup(sent, group, turn.first, stopped);
          if (result.stored < group.pieces.length) {
            drop();
            return false;
          }
          await onStored({ firstOrdinal: group.firstOrdinal, chunks: group.pieces.length }, result);
          return true;
        } finally {
          turn.giveBack();
        }
      }
      async function sendAll(): Promise<void> {
        try {
          while (!stopped.aborted && !groups.isAtEnd() && (await sendOne()));
        } catch (error) {
          stop.abort();
          throw error;
        }
      }
      const lines = await Promise.allSettled(Array.from({ length: groupsInFlight }, sendAll));
      await groups.close();
      signal.throwIfAborted();
      if (dropped) return 'dropped';
      // The first real failure; the others were stopped because of it.
      const failures = lines.flatMap((line) => (line.status === 'rejected' ? [line.reason as unknown] : []));
      const failure = failures.find((error) => !(error instanceof DOMException)) ?? failures[0];
      if (failure !== undefined) throw failure;
      return 'stored';
    },
  };

  async function submitGroup(sent: SentVersion, group: Group, first: boolean, signal: AbortSignal) {
    const { job, trace, collection, documentId, version, title } = sent;
    const id = groupId(job, version, group.firstOrdinal);
    const envelope = {
      tenant: job.tenant,
      ...(trace.traceparent !== undefined && { traceparent: trace.traceparent }),
      ...(trace.tracestate !== undefined && { tracestate: trace.tracestate }),
      collection,
      document_id: documentId,
      version,
      title,
      chunks: identifyChunks(group.pieces, { documentId, version }),
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
            cap: 'owed',
            first,
          },
          { signal },
        );
        return resultOf(text, id, job.attempt);
      } catch (error) {
        // Redis away: the job is not at fault, so no attempt of it is used up. The deadline ends the waiting.
        if (!(error instanceof QueueUnavailable)) throw error;
        await delay(pauseMs * (0.5 + Math.random()), undefined, { signal });
      }
    }
  }
}

/**
 * Tries of a document in which a group that has lost three workers makes it fail and try again, instead of end. The
 * last of the three was alone with the group, and still nothing tells a worker killed from outside from one that the
 * group killed: of 191 uploads under 20 random kills one or two ended so. A group that does kill costs the encoder
 * nine deaths then, instead of three.
 */
const triesOfPoison = 2;

function resultOf(text: string, id: string, attempt: number) {
  const completion = storeCompletion.parse(JSON.parse(text));
  if (completion.status === 'completed') return completion;
  const { code, message, retryable } = completion.error;
  const mayRetry = retryable || (code === 'poison' && attempt <= triesOfPoison);
  throw new StageFailure(code, `group ${id}: ${message}`, { mayRetry });
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
