import type { ReplicaView } from '@vortex/contracts';
import { table } from './table.ts';
import { type InstanceOptions, printJson, useGateway } from './use-gateway.ts';

type Options = InstanceOptions & { json: boolean };

export async function listReplicas(options: Options): Promise<void> {
  const found = await useGateway(options, (client) => client.replicas.list());
  if (options.json) return printJson(found);
  if (found.replicas.length === 0)
    return console.log('No generator replica has beaten in the last ten minutes.');
  console.log(
    table(
      ['replica', 'url', 'state', 'breaker', 'load', 'slots', 'failed', 'first token ms'],
      found.replicas.map((replica) => [
        replica.name,
        replica.url,
        replica.state,
        breakerText(replica.breaker),
        replica.load,
        replica.slots,
        `${Math.round(100 * replica.breaker.failure_ratio)} %`,
        replica.breaker.first_token_ms,
      ]),
    ),
  );
  console.log(`\nretry budget: ${found.retry_budget}`);
}

export async function orderReplica(verb: 'drain' | 'resume', name: string, options: Options): Promise<void> {
  const replica = await useGateway(options, (client) => client.replicas[verb](name));
  if (options.json) return printJson(replica);
  if (verb === 'resume') return console.log(`${replica.name} takes work again.`);
  console.log(`${replica.name} takes nothing new; it finishes ${replica.load} of its own.`);
  if (replica.warning !== null) console.log(replica.warning);
}

/** One word, with what a person wants to know about it. */
export function breakerText(breaker: Pick<ReplicaView['breaker'], 'state' | 'probe_in_ms' | 'cap'>): string {
  if (breaker.state === 'open') return `open, probe in ${Math.ceil((breaker.probe_in_ms ?? 0) / 1000)} s`;
  if (breaker.cap !== null) return `${breaker.state}, at most ${breaker.cap}`;
  return breaker.state;
}
