import {
  type DeadLetterPage,
  type DeadLetterResponse,
  type DeadLettersDropped,
  type DeadLettersRedriven,
  deadLetter,
  deadLetterPage,
  deadLettersDropped,
  deadLettersRedriven,
  type Redriven,
  type RedriveRequest,
  redriven,
  type StageName,
} from '@vortex/contracts';
import { type CallOptions, queryString, type Transport } from './transport.ts';

/** `/api/dead-letters…`. A letter's `id` is its own, not its job's. */
export interface DeadLetterCalls {
  /** Newest first, of all queues when none is named; `next` of a page given as `after` brings the one behind it. */
  list(
    filter?: { queue?: string; stage?: StageName; code?: string; after?: string; limit?: number },
    call?: CallOptions,
  ): Promise<DeadLetterPage>;
  /** With the raw bytes of the job's element, and whether it can be redriven. */
  get(id: string, call?: CallOptions): Promise<DeadLetterResponse>;
  redrive(id: string, call?: CallOptions): Promise<Redriven>;
  /** What fits every condition; one call takes at most 25 s, and says how many it did not reach. */
  redriveMany(request?: RedriveRequest, call?: CallOptions): Promise<DeadLettersRedriven>;
  drop(id: string, call?: CallOptions): Promise<void>;
  /** Of one queue: all, or what fits. */
  dropMany(
    filter: { queue: string; code?: string; before?: string },
    call?: CallOptions,
  ): Promise<DeadLettersDropped>;
}

export function deadLetterCalls(transport: Transport): DeadLetterCalls {
  const all = '/api/dead-letters';
  const pathOf = (id: string) => `${all}/${encodeURIComponent(id)}`;
  return {
    list: (filter = {}, call = {}) => transport.json(deadLetterPage, `${all}${queryString(filter)}`, call),
    get: (id, call = {}) => transport.json(deadLetter, pathOf(id), call),
    redrive: (id, call = {}) =>
      transport.json(redriven, `${pathOf(id)}/redrive`, { ...call, method: 'POST' }),
    redriveMany: (request = {}, call = {}) =>
      transport.json(deadLettersRedriven, `${all}/redrive`, { ...call, body: request }),
    drop: async (id, call = {}) => void (await transport.text(pathOf(id), { ...call, method: 'DELETE' })),
    dropMany: (filter, call = {}) =>
      transport.json(deadLettersDropped, `${all}${queryString(filter)}`, { ...call, method: 'DELETE' }),
  };
}
