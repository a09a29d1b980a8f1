import { stages } from '@vortex/contracts';
import type { CallEnd, CallLimits, ModelCall, ReplicaHealth } from '@vortex/runtime';
import { type ModelClient, type ModelEnd, ModelFailure, type ModelRequest } from './model-client.ts';

/**
 * A call of the language model that is measured, and watched for the failures that no status tells: a server that
 * takes the request and never speaks, or speaks a token a second. What is usual, the other replicas say
 * (runtime, call-limits.ts).
 *
 *   waiting ──► first token ──► pace is looked at ──► ended
 *      │                            └──► too slow      late; given up unless a reader saw a part or it is the last try
 *      └──► no token in time                           late; given up likewise
 *
 * Late is noted once, when it is seen and not when the call ends: a call that hangs may have minutes to its deadline,
 * and its replica must be out within seconds.
 */
export interface WatchedCall {
  model: ModelClient;
  health: ReplicaHealth | undefined;
  job: Parameters<ReplicaHealth['begin']>[0];
  request: ModelRequest;
  onText: (text: string) => void;
  /** A reader has a part of the answer: another replica's would not fit to it. */
  isSeen: () => boolean;
}

const paceEveryMs = 250;
/** A reply of fewer pieces says nothing of the pace. */
const paceFromPieces = 5;

/** @throws ModelFailure */
export async function callWatched({
  model,
  health,
  job,
  request,
  onText,
  isSeen,
}: WatchedCall): Promise<ModelEnd> {
  const call = health?.begin(job);
  const isLastTry = job.attempt >= stages.generate.maxAttempts;
  const limits = call?.limits({ remainingMs: request.timeoutMs, isLastTry });
  const startedAt = performance.now();
  let firstAt: number | undefined;
  let lastAt = startedAt;
  let pieces = 0;
  let hasWords = false;

  const late = new AbortController();
  const timers = limits && call ? watch(limits, call) : undefined;
  const signal = timers === undefined ? request.signal : AbortSignal.any([request.signal, late.signal]);

  function watch({ firstTokenMs, giveUpMs, perTokenMs, paceAfterMs }: CallLimits, watched: ModelCall) {
    if (firstTokenMs === null && perTokenMs === null) return undefined;
    const started: NodeJS.Timeout[] = [];
    if (firstTokenMs !== null) {
      started.push(
        setTimeout(() => {
          if (firstAt !== undefined) return;
          watched.firstToken(firstTokenMs);
          watched.end('late');
        }, firstTokenMs),
      );
    }
    if (giveUpMs !== null) {
      started.push(
        setTimeout(() => {
          if (firstAt === undefined) late.abort();
        }, giveUpMs),
      );
    }
    if (perTokenMs !== null) {
      started.push(
        setInterval(() => {
          if (firstAt === undefined) return;
          const sinceMs = performance.now() - firstAt;
          if (sinceMs < paceAfterMs || sinceMs / pieces <= perTokenMs) return;
          watched.pace(sinceMs / pieces);
          watched.end('late');
          if (giveUpMs !== null && !isSeen()) late.abort();
        }, paceEveryMs),
      );
    }
    return started;
  }

  try {
    const end = await model.generate({ ...request, signal }, (text) => {
      lastAt = performance.now();
      if (firstAt === undefined) {
        firstAt = lastAt;
        call?.firstToken(firstAt - startedAt);
      }
      pieces += 1;
      hasWords ||= text.trim() !== '';
      onText(text);
    });
    if (!hasWords) throw new ModelFailure('malformed', 'the language model gave an empty answer');
    if (firstAt !== undefined && pieces >= paceFromPieces) call?.pace((lastAt - firstAt) / (pieces - 1));
    call?.end('ok');
    return end;
  } catch (error) {
    if (late.signal.aborted && !request.signal.aborted) {
      const spentMs = Math.round(performance.now() - startedAt);
      call?.end('neutral');
      throw new ModelFailure('late', `the language model was too slow (${spentMs} ms); others are faster`);
    }
    call?.end(error instanceof ModelFailure ? endOf(error) : 'neutral');
    throw error;
  } finally {
    for (const timer of timers ?? []) clearTimeout(timer);
  }
}

function endOf({ kind, status }: ModelFailure): CallEnd {
  switch (kind) {
    case 'connect':
    case 'server_error':
    case 'malformed':
      return 'failed';
    case 'client_error':
      return isOfReplica(status) ? 'failed' : 'neutral';
    // The deadline was the caller's own; a replica that is slow beside others has been noted as late by then.
    default:
      return 'neutral';
  }
}

/** Key, address or model name: what is configured at the replica, and may be right at another. */
export function isOfReplica(status: number | null): boolean {
  return status === 401 || status === 403 || status === 404;
}
