import { openTestRedis, type TestRedis } from '@vortex/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { QueueModel, runInterleavings } from '../src/interleavings/index.ts';
import { type ScriptName, scriptNames, scriptText } from '../src/scripts.ts';

/**
 * Thousands of games are played by `./vortex chaos --only interleavings`; here some hundred. VORTEX_SEED replays one,
 * VORTEX_INTERLEAVING_SEEDS says how many.
 */
let redis: TestRedis;
beforeAll(async () => {
  redis = await openTestRedis();
});
afterAll(() => redis.close());

const { VORTEX_SEED: seed, VORTEX_INTERLEAVING_SEEDS: seeds = seed === undefined ? '250' : '1' } =
  process.env;

/** Breakers live by clock and count, of which the model knows nothing: breaker.redis.test.ts has them. */
const apart: ScriptName[] = ['report', 'drain-replica', 'judge-request', 'charge-tokens'];

test('every script is in the model', () => {
  const model = new QueueModel();
  expect(scriptNames.filter((name) => !model.knows(name))).toEqual(apart);
});

test(`${seeds} random interleavings: Redis answers and looks as the model says, and the laws hold`, {
  timeout: 600_000,
}, async () => {
  const { failure } = await runInterleavings({ redis, firstSeed: Number(seed ?? 1), seeds: Number(seeds) });
  expect(failure, `replay with VORTEX_SEED=${failure?.seed}`).toBeNull();
});

/** Each is a mistake that one could make; the games must show it. */
const mistakes: [what: string, script: ScriptName, from: string, to: string][] = [
  [
    'handoff acknowledges before it has pushed',
    'handoff',
    "redis.call('RPUSH', KEYS[2], unpack(added))",
    "for place = 1, #ARGV, 2 do redis.call('LREM', KEYS[1], 1, ARGV[place]) end\nredis.call('RPUSH', KEYS[2], unpack(added))",
  ],
  [
    'handoff does not take back what it pushed before the fence',
    'handoff',
    "redis.call('LREM', KEYS[2], -1, new)",
    '',
  ],
  ['give-back has no fence', 'give-back', "then return 'FENCED' end", 'then end'],
  ['reap-one does not ask whether the worker lives', 'reap-one', "then return 'ALIVE' end", 'then end'],
  ['retry keeps the lease', 'retry', 'release_lease(KEYS[4], KEYS[5], ARGV[4])', ''],
  ['finish leaves the load', 'finish', 'then mirror_load(KEYS[4], KEYS[5]) end', 'then end'],
  ['a second end overwrites the first', 'bury', "'NX', 'EX', 60", "'EX', 60"],
  ['admit forgets that the job is live', 'admit', "then return 'DUP' end\n\nlocal", 'then end\n\nlocal'],
  ['admit leaves the job live when its push failed', 'admit', "redis.call('ZREM', KEYS[1], ARGV[1])", ''],
  ['promote acknowledges nothing', 'promote', "redis.call('ZREM', KEYS[1], element)", ''],
  ['a worker with work in hand is forgotten', 'forget-worker', "then return 'BUSY' end", 'then end'],
  ['a late lease outlives its job', 'start-lease', "then return 'ENDED' end", 'then end'],
  ['an ended job goes back to processing', 'mark', "then return 'OVER' end", 'then end'],
  ['a completion stays for ever', 'finish', "'NX', 'EX', 60", "'NX'"],
  ['a letter is redriven twice', 'redrive', "then return 'GONE' end", 'then end'],
  ['a redrive leaves the old end', 'redrive', "redis.call('DEL', KEYS[5])", ''],
];

test.each(mistakes)('the games find it: %s', async (_what, script, from, to) => {
  const right = scriptText(script);
  expect(right).toContain(from);
  const { failure } = await runInterleavings({
    redis,
    seeds: 200,
    scripts: { [script]: right.replace(from, () => to) },
  });
  expect(failure).not.toBeNull();
  expect(failure?.shortest.length).toBeLessThan(16);
  if (process.env.VORTEX_SHOW) console.log(_what, failure?.seed, failure?.step, failure?.shortest.length);
});
