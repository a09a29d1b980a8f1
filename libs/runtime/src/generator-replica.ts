import { batchGeneratorList, batchPart, generatorList, stages } from '@vortex/contracts';
import type { Logger, Metrics } from '@vortex/observability';
import { type Consumer, keys, reportReplica, runScript, texts } from '@vortex/queue';
import type { ReplicaHealth } from './replica-health.ts';

/**
 * What a process of generators is beside its stage: a replica, with a list of its own, a lease in Redis for each job
 * it runs, and a breaker that says how much it may claim just now.
 */
export interface GeneratorReplica {
  readonly url: string;
  readonly slots: number;
  readonly ownList: string;
  readonly health: ReplicaHealth | undefined;
  /** When a run begins; a lease on the replica it was assigned to, should that be another one, ends. */
  startLease(id: string, assignedUrl: string | undefined): void;
  /** With every beat; leases that were lost are taken anew. */
  renewLeases(runningIds: () => string[]): Promise<void>;
  /** What its breaker allows; and of that, batch jobs get only a part. */
  allowance(consumer: Consumer): { slots: number; mayTake: (list: string) => boolean };
  /** Reports go to the breaker from here on; `reconsider` is called when a verdict has moved what may be claimed. */
  attachHealth(reconsider: () => void): void;
  /** What waits in its own list goes back to the shared one. */
  returnOwnList(): Promise<void>;
}

export function createGeneratorReplica(options: {
  url: string;
  slots: number;
  health?: ReplicaHealth;
  workerName: string;
  commands: Parameters<typeof runScript>[0];
  leaseMs: number;
  log: Logger;
  metrics: Metrics;
}): GeneratorReplica {
  const { url, slots, health, commands, leaseMs, log, metrics } = options;
  const ownList = generatorList(options.workerName);
  const sharedList = stages.generate.list;

  function startLease(id: string, assignedUrl: string | undefined): void {
    const other = assignedUrl === undefined || assignedUrl === url ? undefined : assignedUrl;
    runScript(
      commands,
      'start-lease',
      [
        keys.leases(url),
        keys.load(url),
        other === undefined ? keys.none : keys.leases(other),
        other === undefined ? keys.none : keys.load(other),
        keys.completion(id),
      ],
      [id, leaseMs],
    ).catch((error) => log.debug({ job_id: id, err: error }, 'could not take a lease; the next beat does'));
  }

  return {
    url,
    slots,
    ownList,
    health,
    startLease,
    async renewLeases(runningIds) {
      const ids = runningIds();
      if (ids.length === 0) return;
      const missing = await runScript(commands, 'renew-leases', [keys.leases(url)], [leaseMs, ...ids]);
      const running = new Set(runningIds());
      for (const id of texts(missing)) if (running.has(id)) startLease(id, undefined);
    },
    allowance(consumer) {
      const allowed = health?.allowance() ?? { slots, mayTake: () => true };
      const batchSlots = batchPart(allowed.slots);
      return {
        slots: allowed.slots,
        mayTake: (list) =>
          list === batchGeneratorList
            ? allowed.mayTake(sharedList) && consumer.inFlight() < batchSlots
            : allowed.mayTake(list),
      };
    },
    attachHealth(reconsider) {
      health?.attach({
        url,
        sharedList,
        send: (notes) => reportReplica(commands, { url, list: ownList, notes }),
        onVerdict(verdict, before) {
          // Admit may have moved it in between, to half open: then a probe has failed or is under way.
          const from = verdict.from ?? before?.state ?? 'closed';
          if (from !== verdict.state || (before !== null && before.state !== verdict.state)) {
            metrics.add('rag_breaker_transitions_total', { to: verdict.state });
            log.warn({ replica: url, from, to: verdict.state }, 'the breaker moved');
          }
          if (before?.slots !== verdict.slots || before.shared !== verdict.shared) reconsider();
        },
      });
    },
    async returnOwnList() {
      await runScript(commands, 'return-list', [ownList, sharedList], [10_000]);
    },
  };
}
