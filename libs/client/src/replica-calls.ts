import { type ReplicaList, type ReplicaOrdered, replicaList, replicaOrdered } from '@vortex/contracts';
import type { CallOptions, Transport } from './transport.ts';

/** `/api/replicas…` */
export interface ReplicaCalls {
  list(call?: CallOptions): Promise<ReplicaList>;
  /** It finishes what it has and takes nothing new, until it is resumed. */
  drain(name: string, call?: CallOptions): Promise<ReplicaOrdered>;
  resume(name: string, call?: CallOptions): Promise<ReplicaOrdered>;
}

export function replicaCalls(transport: Transport): ReplicaCalls {
  const order =
    (verb: 'drain' | 'resume') =>
    (name: string, call: CallOptions = {}) =>
      transport.json(replicaOrdered, `/api/replicas/${encodeURIComponent(name)}/${verb}`, {
        ...call,
        method: 'POST',
      });
  return {
    list: (call = {}) => transport.json(replicaList, '/api/replicas', call),
    drain: order('drain'),
    resume: order('resume'),
  };
}
