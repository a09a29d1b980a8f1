import { z } from 'zod';

/** A generator replica as `GET /api/replicas` shows it. */
export const replicaView = z.object({
  /** Its WORKER_NAME, by which it is drained and resumed. */
  name: z.string(),
  url: z.string(),
  /** `draining`: it finishes what it has and takes nothing new; `down`: it has stopped beating. */
  state: z.enum(['up', 'draining', 'down']),
  slots: z.int(),
  /** Queries it works on or that are reserved for it. */
  load: z.int(),
  breaker: z.object({
    state: z.enum(['closed', 'open', 'half_open']),
    failure_ratio: z.number(),
    trips: z.int(),
    probe_in_ms: z.int().nullable(),
    cap: z.int().nullable(),
    first_token_ms: z.number().nullable(),
  }),
});
export type ReplicaView = z.infer<typeof replicaView>;

/** The answer to an order: the replica as it is now. */
export const replicaOrdered = replicaView.extend({
  /** What the order means for everybody's questions; null when nothing. */
  warning: z.string().nullable().default(null),
});
export type ReplicaOrdered = z.infer<typeof replicaOrdered>;

export const replicaList = z.object({
  replicas: z.array(replicaView),
  /** Retries of generation that may be made at once; each first try adds a tenth. */
  retry_budget: z.number(),
});
export type ReplicaList = z.infer<typeof replicaList>;
