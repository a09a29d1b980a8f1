import type { AnswerFrame } from '@vortex/contracts';
import type { Logger } from '@vortex/observability';
import type { SubmitOptions, SubmittedJob, Submitter } from '@vortex/queue';
import { cancelInBackground } from './cancel-in-background.ts';

/**
 * One job for identical questions that are asked at the same time.
 *
 *   first rider ──► submitted ──► ended: every rider gets the completion; a whole answer also who comes late
 *                      │ ▲
 *                      │ └── more riders come (they hear the frames so far), riders leave
 *                      └──► the last rider has left: the job is cancelled
 *
 * Late is who had looked into the cache before the end, hence before the answer was kept there, and comes after it. It
 * would ask the model again: so did some of 100 identical questions in 5 of 30 volleys.
 *
 * The job belongs to nobody: the client that asked first may leave, and the job goes on for the others. It has the
 * first rider's deadline; a rider for whom it fails decides for itself whether to ask anew.
 */
export interface SharedJobs {
  /**
   * The seat of one question, which has looked into the cache at `askedAt` (monotonic, ms). `isFirst`: the job is this
   * question's own, and is submitted by `submit`.
   */
  board(key: string, askedAt: number): Seat;
}

export interface Seat extends Pick<Submitter, 'submit' | 'cancel'> {
  readonly isFirst: boolean;
}

/** Longer than the cache may take to answer. */
const lateMs = 500;

interface Ride {
  completion: Promise<string>;
  frames: AnswerFrame[];
  isAdmitted: boolean;
  riders: Set<Pick<SubmitOptions, 'onFrame' | 'onAdmitted'>>;
  endedAt: number | undefined;
  abandon(): void;
}

export function createSharedJobs(deps: {
  submitter: Pick<Submitter, 'submit' | 'cancel'>;
  log: Pick<Logger, 'warn'>;
}): SharedJobs {
  const { submitter, log } = deps;
  const rides = new Map<string, Ride>();

  function start(key: string, job: SubmittedJob): Ride {
    const abandoned = new AbortController();
    const ended = Promise.withResolvers<string>();
    const ride: Ride = {
      completion: ended.promise,
      frames: [],
      isAdmitted: false,
      riders: new Set(),
      endedAt: undefined,
      abandon() {
        abandoned.abort();
        void cancelInBackground(submitter, job, log);
      },
    };
    const { signal } = abandoned;
    const onAdmitted = () => {
      ride.isAdmitted = true;
      for (const rider of ride.riders) rider.onAdmitted?.();
    };
    const onFrame = (frame: AnswerFrame) => {
      ride.frames.push(frame);
      for (const rider of ride.riders) rider.onFrame?.(frame);
    };
    submitter.submit(job, { signal, onAdmitted, onFrame }).then(ended.resolve, ended.reject);
    const forget = () => {
      if (rides.get(key) === ride) rides.delete(key);
    };
    ride.completion.then((completion) => {
      ride.endedAt = performance.now();
      if (isWholeAnswer(completion)) setTimeout(forget, lateMs).unref();
      else forget();
    }, forget);
    rides.set(key, ride);
    return ride;
  }

  async function join(key: string, ride: Ride, options: SubmitOptions): Promise<string> {
    const { signal } = options;
    const left = Promise.withResolvers<never>();
    const leave = () => left.reject(signal?.reason);
    signal?.addEventListener('abort', leave, { once: true });
    ride.riders.add(options);
    if (ride.isAdmitted) options.onAdmitted?.();
    for (const frame of ride.frames) options.onFrame?.(frame);
    try {
      signal?.throwIfAborted();
      return await Promise.race([ride.completion, left.promise]);
    } finally {
      signal?.removeEventListener('abort', leave);
      ride.riders.delete(options);
      if (ride.riders.size === 0 && ride.endedAt === undefined && rides.get(key) === ride) {
        rides.delete(key);
        ride.abandon();
      }
    }
  }

  function openRide(key: string): Ride | undefined {
    const ride = rides.get(key);
    return ride?.endedAt === undefined ? ride : undefined;
  }

  return {
    board(key, askedAt) {
      const found = rides.get(key);
      const isMissed = found?.endedAt !== undefined && found.endedAt <= askedAt;
      const present = isMissed ? undefined : found;
      return {
        isFirst: present === undefined,
        // Between boarding and submitting a ride may have ended; or begun, while this question waited for its turn.
        submit: (job, options = {}) => join(key, present ?? openRide(key) ?? start(key, job), options),
        // A rider leaves by its signal; the job is cancelled by the last one.
        cancel: async () => {},
      };
    },
  };
}

/** What the answer cache keeps, too. */
function isWholeAnswer(completion: string): boolean {
  try {
    const { status, degraded } = JSON.parse(completion) as { status?: unknown; degraded?: unknown };
    return status === 'completed' && Array.isArray(degraded) && degraded.length === 0;
  } catch {
    return false;
  }
}
