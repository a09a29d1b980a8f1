import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { connect, type RedisOptions } from '../connect.ts';
import { type ScriptName, scriptNames, scriptText } from '../scripts.ts';
import { Laws } from './laws.ts';
import { type ModelReply, QueueModel } from './model.ts';
import { gameOf } from './play.ts';
import { type Call, kindOf } from './universe.ts';

/**
 * Plays games of random interleavings of the queue's scripts on a Redis and on a model of it, and compares, after
 * every step, the reply and everything that stands in the database; and holds the laws (laws.ts) against the model.
 * A whole game goes out in a few writes, so a step costs little more than its script does.
 */
export interface InterleavingsOptions {
  /** Its database is emptied. */
  redis: RedisOptions;
  firstSeed?: number;
  seeds: number;
  /** Of a game, before everything is brought to its end. */
  steps?: number;
  /** Broken scripts in the place of ours, for the proof that such are found. */
  scripts?: Partial<Record<ScriptName, string>>;
  /** Called after each seed; `false` ends the run. */
  onSeed?: (seed: number) => boolean | undefined;
}

export interface InterleavingsReport {
  seeds: number;
  /** Calls sent and compared. */
  steps: number;
  failure: Failure | null;
}

export interface Failure {
  seed: number;
  /** The call that went wrong, counted from 0. */
  step: number;
  why: string;
  /** The shortest part of the game that was found to go wrong still, one call a line. */
  shortest: string[];
}

const stateScript = ['now'].reduce(
  (text, include) =>
    text.replace(
      `--include ${include}`,
      readFileSync(new URL(`../../lua/includes/${include}.lua`, import.meta.url), 'utf8').trimEnd(),
    ),
  readFileSync(new URL('../../lua/proof/state.lua', import.meta.url), 'utf8'),
);
const allKeys = [...kindOf.keys()];
/** After each call the keys it names are read and how many keys there are; after so many, and at the end, all. */
const wholeEvery = 25;
/** So many calls are under way at a time. */
const window = 100;

export async function runInterleavings(options: InterleavingsOptions): Promise<InterleavingsReport> {
  const { firstSeed = 1, seeds, steps = 150, onSeed } = options;
  const client = connect(options.redis, 'worker');
  try {
    const table = await openTable(client, options.scripts ?? {});
    let played = 0;
    let sent = 0;
    for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
      const game = gameOf(seed, steps);
      const wrong = await table.play(game);
      played += 1;
      sent += game.length;
      if (wrong !== null) {
        const shortest = await shorten(table, game.slice(0, wrong.step + 1));
        return { seeds: played, steps: sent, failure: { seed, ...wrong, shortest: shortest.map(lineOf) } };
      }
      if (onSeed?.(seed) === false) break;
    }
    await client.flushdb();
    return { seeds: played, steps: sent, failure: null };
  } finally {
    client.disconnect();
  }
}

interface Table {
  /** The first call after which Redis and the model differ, or a law is broken. */
  play(game: readonly Call[]): Promise<{ step: number; why: string } | null>;
}

async function openTable(client: Redis, broken: Partial<Record<ScriptName, string>>): Promise<Table> {
  const shas = {} as Record<ScriptName, string>;
  const load = async (text: string) => {
    await client.script('LOAD', text);
    return createHash('sha1').update(text).digest('hex');
  };
  for (const name of scriptNames) shas[name] = await load(broken[name] ?? scriptText(name));
  const stateSha = await load(stateScript);

  function send(call: Call): Promise<unknown> {
    return 'command' in call
      ? client.call(call.command, ...zaddExisting(call))
      : client.call('EVALSHA', shas[call.script], call.keys.length, ...call.keys, ...call.args);
  }
  const readState = (keys: string[]) =>
    client.call('EVALSHA', stateSha, keys.length, ...keys, keys.map((key) => kindOf.get(key)).join(''));

  return {
    async play(game) {
      await client.flushdb();
      const model = new QueueModel();
      const laws = new Laws(model);
      for (let from = 0; from < game.length; from += window) {
        const part = game.slice(from, from + window).map((call, place) => {
          const isWhole = (from + place + 1) % wholeEvery === 0 || from + place === game.length - 1;
          return { call, looked: isWhole ? allKeys : keysOf(call) };
        });
        const answers = await Promise.all(
          part.map(({ call, looked }) =>
            Promise.all([send(call).catch((error: Error) => error.message), readState(looked)]),
          ),
        );
        for (const [place, { call, looked }] of part.entries()) {
          const [said, state] = answers[place] ?? [];
          const due = model.apply(call);
          const why =
            differs(call, said, due) ??
            stateDiffers(looked, state as string[], model.state(looked)) ??
            laws.broken(call, due);
          if (why !== null) return { step: from + place, why: `${lineOf(call)}: ${why}` };
        }
      }
      const left = laws.left();
      return left === null || game.length < 2 ? null : { step: game.length - 1, why: `at the end: ${left}` };
    },
  };
}

/** Time passes only for what is there. */
function zaddExisting({ command, args }: Call & { command: string }): string[] {
  const [key = '', ...rest] = args;
  return command === 'ZADD' ? [key, 'XX', ...rest] : [...args];
}

function differs(call: Call, said: unknown, due: ModelReply): string | null {
  if (due === 'WRONGTYPE')
    return String(said).startsWith(due) ? null : `answered ${said}, and was obstructed`;
  if ('command' in call) {
    if (call.command === 'LPOP')
      return JSON.stringify(said ?? []) === JSON.stringify(due) ? null : `answered ${said}`;
    return null;
  }
  // The one tells its clock, the other four sets of which the order is that of times.
  if (call.script === 'beat') return typeof said === 'number' ? null : `answered ${said}`;
  const sorted =
    call.script === 'overdue' && Array.isArray(said) ? said.map((part: string[]) => [...part].sort()) : said;
  const is = JSON.stringify(sorted);
  return is === JSON.stringify(due) ? null : `answered ${is}, and the model ${JSON.stringify(due)}`;
}

function keysOf(call: Call): string[] {
  if ('script' in call) return call.keys.filter((key) => kindOf.has(key));
  return call.command === 'FLUSHDB' ? allKeys : call.args.slice(0, 1);
}

function stateDiffers(looked: string[], is: string[], due: string[]): string | null {
  for (const [place, text] of due.entries()) {
    if (is[place] === text) continue;
    const name = looked[place] ?? 'the number of keys';
    return `${name} is ${JSON.stringify(is[place])}, and in the model ${JSON.stringify(text)}`;
  }
  return null;
}

/** Leaves out what may be left out, in ever smaller pieces, as long as something still goes wrong. */
async function shorten(table: Table, game: readonly Call[]): Promise<readonly Call[]> {
  let shortest = game;
  let tries = 0;
  for (let size = Math.ceil(game.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = Math.max(0, shortest.length - size); from >= 0 && tries < 400; from -= size) {
      const rest = [...shortest.slice(0, from), ...shortest.slice(from + size)];
      tries += 1;
      const wrong = rest.length === 0 ? null : await table.play(rest);
      // Of what is left undone because its step was left out nothing is to be said.
      if (wrong !== null && !wrong.why.startsWith('at the end')) shortest = rest.slice(0, wrong.step + 1);
    }
  }
  return shortest;
}

function lineOf(call: Call): string {
  return 'command' in call
    ? `${call.command} ${call.args.join(' ')}`
    : `${call.script} KEYS ${JSON.stringify(call.keys)} ARGV ${JSON.stringify(call.args)}`;
}
