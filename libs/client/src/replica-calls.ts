import { type ReplicaList, type ReplicaView, replicaList, replicaView } from '@vortex/contracts';
import type { CallOptions, Transport } from './transport.ts';

/** `/api/replicas…` */
export interface ReplicaCalls {
  list(call?: CallOptions): Promise<ReplicaList>;
  /** It finishes what it has and takes nothing new, until it is resumed. */
  drain(name: string, call?: CallOptions): Promise<ReplicaView>;
  resume(name: string, call?: CallOptions): Promise<ReplicaView>;
}

export function replicaCalls(transport: Transport): ReplicaCalls {
  const order =
    (verb: 'drain' | 'resume') =>
    (name: string, call: CallOptions = {}) =>
      transport.json(replicaView, `/api/replicas/${encodeURIComponent(name)}/${verb}`, {
        ...call,
        method: 'POST',
      });
  return {
    list: (call = {}) => transport.json(replicaList, '/api/replicas', call),
    drain: order('drain'),
    resume: order('resume'),
  };
}
