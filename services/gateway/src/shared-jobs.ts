import type { AnswerFrame } from '@vortex/contracts';
import type { Logger } from '@vortex/observability';
import type { SubmitOptions, SubmittedJob, Submitter } from '@vortex/queue';
import { cancelInBackground } from './cancel-in-background.ts';

/**
 * One job for identical questions that are asked at the same time.
 *
 *   first rider ──► submitted ──► ended: every rider gets the completion
 *                      │ ▲
 *                      │ └── more riders come (they hear the frames so far), riders leave
 *                      └──► the last rider has left: the job is cancelled
 *
 * The job belongs to nobody: the client that asked first may leave, and the job goes on for the others. It has the
 * first rider's deadline; a rider for whom it fails decides for itself whether to ask anew.
 */
export interface SharedJobs {
  /** The seat of one question. `isFirst`: the job is this question's own, and is submitted by `submit`. */
  board(key: string): Seat;
}

export interface Seat extends Pick<Submitter, 'submit' | 'cancel'> {
  readonly isFirst: boolean;
}

interface Ride {
  completion: Promise<string>;
  frames: AnswerFrame[];
  isAdmitted: boolean;
  riders: Set<Pick<SubmitOptions, 'onFrame' | 'onAdmitted'>>;
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
    const over = () => {
      if (rides.get(key) === ride) rides.delete(key);
    };
    ride.completion.then(over, over);
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
      if (ride.riders.size === 0 && rides.get(key) === ride) {
        rides.delete(key);
        ride.abandon();
      }
    }
  }

  return {
    board(key) {
      const present = rides.get(key);
      return {
        isFirst: present === undefined,
        // Between boarding and submitting nothing is waited for, but the ride may have ended.
        submit: (job, options = {}) => join(key, present ?? start(key, job), options),
        // A rider leaves by its signal; the job is cancelled by the last one.
        cancel: async () => {},
      };
    },
  };
}
