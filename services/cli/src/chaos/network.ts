import type { Chain } from './chain.ts';
import type { FaultProxy, ProxiedConnection } from './fault-proxy.ts';
import { onChain } from './on-chain.ts';
import { check, type Scenario } from './scenario.ts';
import { pause } from './within.ts';

/** What happens between the services and Redis. */
export const networkScenarios: readonly Scenario[] = [
  onChain({
    name: 'connection-reset',
    family: 'network',
    holds:
      'connections are reset at random, all at once at times: everything ends once, and no stage runs twice',
    share: 5,
    seconds: 20,
    neverTwice: true,
    async disturb(chain) {
      const before = struck(chain, 'cut');
      for (let round = 0; round < 24; round += 1) {
        await pause(700);
        for (const wire of wires(chain)) {
          for (const connection of wire.connections()) {
            if (round % 8 === 7 || Math.random() < 0.3) connection.cut();
          }
        }
      }
      const cut = struck(chain, 'cut') - before;
      return { hits: cut, own: { cut } };
    },
  }),
  onChain({
    name: 'swallowed-reply',
    family: 'network',
    holds:
      'Redis has applied a command and its reply is lost: nothing is lost with it, and nothing is done twice',
    share: 12,
    // More than thirty replies must come along to be swallowed.
    leastJobs: 150,
    seconds: 30,
    neverTwice: true,
    async disturb(chain) {
      const before = struck(chain, 'swallowed');
      for (let round = 0; round < 55; round += 1) {
        await pause(500);
        // The beat is left alone here: without it a worker rightly stops to claim.
        for (const wire of wires(chain)) {
          for (const connection of pick(wire, ['worker', 'blocking', 'fail-fast'], 2)) {
            connection.swallowNextReply();
          }
        }
      }
      const swallowed = struck(chain, 'swallowed') - before;
      return {
        checks: [check('replies were really swallowed', swallowed > 30, swallowed)],
        own: { swallowed },
      };
    },
  }),
  onChain({
    name: 'half-open',
    family: 'network',
    holds: 'half of all connections go silent for 60 s without being closed: they are found out and replaced',
    share: 5,
    seconds: 66,
    async disturb(chain) {
      await pause(2_000);
      let silent = 0;
      const end = performance.now() + 60_000;
      for (const wire of wires(chain)) {
        for (const connection of pick(wire, null, Math.ceil(wire.connections().length / 2))) {
          connection.goHalfOpen();
          silent += 1;
        }
      }
      await pause(end - performance.now());
      return { hits: silent, own: { silent } };
    },
  }),
  onChain({
    name: 'slow-network',
    family: 'network',
    holds: '1, 10 and 100 ms in each direction: slower, and otherwise as always',
    share: 6,
    seconds: 24,
    neverTwice: true,
    async disturb(chain) {
      const before = struck(chain, 'delayed_chunks');
      for (const ms of [1, 10, 100]) {
        for (const wire of wires(chain)) wire.setDelay(ms);
        await pause(7_500);
      }
      const met = struck(chain, 'delayed_chunks') - before;
      return { hits: met, own: { delayed_chunks: met } };
    },
  }),
  onChain({
    name: 'trickle',
    family: 'network',
    holds:
      'replies come at 64 bytes a second: new work is refused or waits, and all of it ends when the wire is well',
    share: 2,
    seconds: 26,
    async disturb(chain) {
      const before = struck(chain, 'trickled_bytes');
      await pause(2_000);
      chain.workerWire.setTrickle(64);
      await pause(6_000);
      chain.gatewayWire.setTrickle(64);
      await pause(10_000);
      const met = struck(chain, 'trickled_bytes') - before;
      return { hits: met, own: { trickled_bytes: met } };
    },
  }),
];

const wires = (chain: Chain): FaultProxy[] => [chain.workerWire, chain.gatewayWire];

type Counted = keyof ReturnType<FaultProxy['counts']>;
const struck = (chain: Chain, fault: Counted) =>
  wires(chain).reduce((sum, wire) => sum + wire.counts()[fault], 0);

/** At random, of these roles; null: of any. */
function pick(wire: FaultProxy, roles: readonly string[] | null, count: number): ProxiedConnection[] {
  return wire
    .connections()
    .filter((connection) => roles === null || roles.includes(connection.role() ?? ''))
    .map((connection) => ({ connection, place: Math.random() }))
    .sort((one, other) => one.place - other.place)
    .slice(0, count)
    .map(({ connection }) => connection);
}
