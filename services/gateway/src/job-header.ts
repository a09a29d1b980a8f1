import { envelopeVersion, type JobHeader } from '@vortex/contracts';
import type { Exchange } from './exchange.ts';

/** What every envelope of this gateway begins with, whatever stage it is for; the queue adds the rest. */
export function jobHeaderOf(exchange: Exchange, id: string, deadlineAt: number): Partial<JobHeader> {
  const { caller, traceparent, tracestate } = exchange;
  return {
    id,
    v: envelopeVersion,
    tenant: caller.tenant,
    deadline_at: deadlineAt,
    attempt: 1,
    traceparent,
    ...(tracestate !== undefined && { tracestate }),
  };
}
