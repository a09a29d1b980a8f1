import type { JobRecord } from './jobs.ts';

/**
 * Tenants take turns with documents: the queue's list is first come, first served, so it is given only a window of each
 * tenant's jobs (upload-window.ts), and the others wait here.
 *
 *   acceptDocuments ──room in the window──► released ──claim──► … ──► the job ends, or is to be cancelled: the place is free
 *        │                                     ▲  │
 *        └─► coming ──letWait──► waiting ──────┘  └─ put off (retryJob, releaseJob) ──► aside ──claimJob──► released
 *                          letWait, releaseJobs
 *
 * Who is answered with released jobs puts their ids on the list, after the commit. One that dies in between leaves
 * them to the sweeper, as every id that the list does not have (`openJobs`). An id that somebody pushes by hand is claimed
 * whatever its turn is.
 */
export type JobTurn = 'coming' | 'waiting' | 'released' | 'aside';

export interface UploadTurnsRegistry {
  /**
   * These jobs were accepted without room in the window, and all they need is in its place now: they wait. Returns the
   * jobs of the tenant that are released by it, oldest first: these, or others before them.
   */
  letWait(tenant: string, jobIds: readonly string[]): Promise<JobRecord[]>;
  /** To be called when jobs have ended: fills every tenant's window; tenants take turns in what is returned. */
  releaseJobs(): Promise<JobRecord[]>;
  /** Of all tenants. */
  countWaitingJobs(): Promise<number>;

  /** A worker of uploads says that it lives, and on how many documents it works at a time; to be repeated (`workerSeenMs`). */
  noteUploadWorker(name: string, slots: number): Promise<void>;
  forgetUploadWorker(name: string): Promise<void>;
}

/** A worker that has said nothing for so long is not counted. */
export const workerSeenMs = 60_000;
