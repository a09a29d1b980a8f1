import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type HostileRequest, hostileRequests } from './hostile-requests.ts';
import { complaintAbout, sendHostile } from './send-hostile.ts';
import { openSlowConnections } from './slow-connections.ts';

/**
 * The attacker of `./vortex bench attack`, a process of its own so that who measures is not held up by what it sends.
 * Told what to do in its arguments, it says `ready`, attacks once it hears anything, says what came of it when all its
 * connections are closed, and ends.
 */
export interface AttackPlan {
  host: string;
  port: number;
  slow: number;
  requests: number;
  seconds: number;
}

export interface AttackResult {
  sent: number;
  /** What was not answered as it must be. */
  complaints: string[];
  slow_open_at_end: number;
  slow_statuses: Record<string, number>;
}

export type AttackerWord = { kind: 'ready' } | { kind: 'done'; result: AttackResult };

const plan = JSON.parse(process.argv[2] ?? '{}') as AttackPlan;
const say = (word: AttackerWord) => process.send?.(word);

// Ctrl-C in the bench's terminal does not reach its session.
process.once('disconnect', () => process.exit());
const told = once(process, 'message');
say({ kind: 'ready' });
await told;
const slow = await openSlowConnections(plan, plan.slow);
const everyMs = (plan.seconds * 1000) / plan.requests;
const startedAt = performance.now();
const sending: Promise<string | null>[] = [];
for (let at = 0; at < plan.requests; at += 1) {
  await delay(Math.max(0, startedAt + at * everyMs - performance.now()));
  const hostile = hostileRequests[at % hostileRequests.length] as HostileRequest;
  sending.push(sendHostile(plan, hostile).then((heard) => complaintAbout(hostile, heard)));
}
const complaints = (await Promise.all(sending)).filter((complaint) => complaint !== null);
await delay(Math.max(0, startedAt + plan.seconds * 1000 - performance.now()));
const result: AttackResult = {
  sent: sending.length,
  complaints,
  slow_open_at_end: slow.open(),
  slow_statuses: slow.statuses(),
};
slow.close();
say({ kind: 'done', result });
process.disconnect?.();
