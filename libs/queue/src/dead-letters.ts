import { type StageName, stageNames, stages } from '@vortex/contracts';
import { connect, type QueueLog, type RedisOptions } from './connect.ts';
import { type DeadLetter, deadLetterId, readDeadLetter } from './dead-letter.ts';
import { QueueUnavailable } from './errors.ts';
import { keys } from './keys.ts';
import { type Reply, runScript, word } from './scripts.ts';

/** An element of a dead list. */
export interface FoundLetter {
  /** `deadLetterId`: what the API calls it by. */
  id: string;
  stage: StageName;
  /** As it stands in the list; what a redrive or a drop must find there again. */
  text: Buffer;
  /** Null: it was not written by a worker. */
  letter: DeadLetter | null;
}

export interface RedriveOrder {
  /** Where it is pushed: the letter's stage has a list per class. */
  list: string;
  /** What is pushed: tries and deliveries from the beginning. */
  element: string;
  id: string;
  deadlineAt: number;
  /** As many jobs of the lane may be in the chain at once. */
  cap: number;
  /** Fields of the tracked job's hash, JSON texts: those written where nothing stands, and those written anyway. */
  track: { first: string; fields: string } | undefined;
}

/** `GONE`: dropped, redriven or displaced meanwhile. `LIVE`: a job of that id is in the chain. `FULL`: the cap. */
export type RedriveWord = 'OK' | 'GONE' | 'LIVE' | 'FULL';

/**
 * The dead lists of all stages, for whoever looks after them. Read in small pieces over a connection of its own: a
 * full list is 16 MiB, and neither Redis nor the reader is to be held up by it.
 * Every call throws QueueUnavailable when Redis is away, slow or full.
 */
export interface DeadLetters {
  /** What stands in a stage's dead list, newest first, as far as the reader goes. */
  newestFirst(stage: StageName): AsyncGenerator<FoundLetter>;
  find(id: string): Promise<FoundLetter | null>;
  redrive(found: FoundLetter, order: RedriveOrder): Promise<RedriveWord>;
  /** False: it was gone. */
  drop(found: FoundLetter): Promise<boolean>;
  counts(): Promise<Map<StageName, number>>;
  /** Jobs of the lane that are in the chain. */
  live(lane: 'interactive' | 'low'): Promise<number>;
  close(): void;
}

/** Letters are at most 100 kB: a piece is a megabyte and a half. */
const lettersPerRead = 16;

export function createDeadLetters(redis: RedisOptions, log?: QueueLog): DeadLetters {
  const client = connect(redis, 'fail-fast', log);

  async function asked<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask();
    } catch (error) {
      throw new QueueUnavailable('the dead letters are out of reach: Redis is down, slow or full', error);
    }
  }

  async function* newestFirst(stage: StageName): AsyncGenerator<FoundLetter> {
    const { list } = stages[stage];
    const seen = new Set<string>();
    // Pieces overlap by a letter. One that is added meanwhile moves all others away from the end: what stands before
    // a letter that was read was read too, or is new. One that goes moves them towards it: a piece without any known
    // letter may have others before it that nobody has read yet.
    for (let offset = 0; ; ) {
      const texts = await asked(() =>
        client.lrangeBuffer(keys.dead(list), -offset - lettersPerRead, -offset - 1),
      );
      const piece = texts.reverse().map((text) => ({ id: deadLetterId(list, text), text }));
      const known = piece.findIndex(({ id }) => seen.has(id));
      if (known === -1 && offset > 0) {
        offset = Math.max(0, offset - lettersPerRead + 1);
        continue;
      }
      for (const { id, text } of piece.slice(known + 1)) {
        if (seen.has(id)) continue;
        seen.add(id);
        yield { id, stage, text, letter: readDeadLetter(text) };
      }
      if (piece.length < lettersPerRead) return;
      offset += lettersPerRead - 1;
    }
  }

  return {
    newestFirst,
    async find(id) {
      const stage = stageNames.find((name) => id.startsWith(`dlt_${name}_`));
      if (stage === undefined) return null;
      for await (const found of newestFirst(stage)) if (found.id === id) return found;
      return null;
    },
    async redrive({ stage, text }, { list, element, id, deadlineAt, cap, track }) {
      const { lane } = stages[stage];
      const reply: Reply = await asked(() =>
        runScript(
          client,
          'redrive',
          [
            keys.dead(list),
            keys.deadSize(list),
            list,
            keys.live(lane),
            keys.completion(id),
            keys.cancelled,
            track === undefined ? keys.none : keys.job(id),
            keys.active,
            keys.recent,
          ],
          [text, element, id, deadlineAt, cap, track?.first ?? '', track?.fields ?? ''],
        ),
      );
      return word(reply) as RedriveWord;
    },
    drop: async ({ stage, text }) => {
      const { list } = stages[stage];
      const reply = await asked(() =>
        runScript(client, 'drop-letter', [keys.dead(list), keys.deadSize(list)], [text]),
      );
      return reply === 1;
    },
    counts: () =>
      asked(async () => {
        const lengths = await Promise.all(
          stageNames.map((stage) => client.llen(keys.dead(stages[stage].list))),
        );
        return new Map(stageNames.map((stage, place) => [stage, lengths[place] ?? 0]));
      }),
    live: (lane) => asked(() => client.zcard(keys.live(lane))),
    close: () => client.disconnect(),
  };
}
