import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type InputOf, jobId, type StageName, type StageRow, stageNames, stages } from '@vortex/contracts';
import {
  addTry,
  bareId,
  changeHeader,
  deadLetterId,
  elementOfLetter,
  readDeadLetter,
  readElementHeader,
} from '@vortex/queue';
import {
  Chance,
  type CorpusFile,
  fuzzBudget,
  mutateBytes,
  mutateJson,
  mutateText,
  readCorpus,
} from '@vortex/testkit/fuzz';
import { expect, it } from 'vitest';
import { buryOrder, type Unreadable, unreadableOrder } from '../src/bury-order.ts';
import { readEnvelope } from '../src/read-envelope.ts';
import { openRun } from '../src/run.ts';

/**
 * What lies in Redis is untrusted: anyone may push. Whatever an element is, reading it throws nothing, ends as an input
 * that fits the stage's schema or as a dead letter with a code, does so each time, and costs no more than it is long.
 */
const corpus = readCorpus(join(import.meta.dirname, 'corpus'));
const codes = ['invalid_envelope', 'unsupported_version', 'envelope_too_large'];
/** A completion, a letter and a log line each hold the reason: not a book of them. */
const mostReason = 2000;

function stageOfFile({ name }: CorpusFile): StageName {
  const stage = stageNames.find((one) => name.startsWith(`${one}.`));
  if (stage === undefined) throw new Error(`${name} names no stage`);
  return stage;
}

function elementOf(bytes: Buffer): string | Buffer {
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes;
}

/** @throws Error that says which law was broken. */
function assertLaws(stage: StageName, element: string | Buffer): 'readable' | 'unreadable' {
  const row: StageRow = stages[stage];
  const list = row.list;
  const delivery = { list, element } as Parameters<typeof openRun>[1];
  const identity = { stage, workerName: 'w', replicaUrl: undefined };
  const moment = { epochMs: 1_790_000_000_000, monotonicMs: 0 };

  function assertBuried({ code, reason, header }: Unreadable): void {
    if (!codes.includes(code)) throw new Error(`ended with ${code}`);
    if (reason === '' || reason.length > mostReason)
      throw new Error(`the reason has ${reason.length} characters`);
    const { letter, value } = unreadableOrder(identity, delivery, { code, reason, header });
    assertLetter(letter, value);
  }
  function assertLetter(letter: string, value: string): void {
    const read = readDeadLetter(Buffer.from(letter));
    if (read === null) throw new Error('the dead letter cannot be read');
    const bytes = typeof element === 'string' ? Buffer.from(element) : element;
    const kept = elementOfLetter(read);
    if (bytes.length <= 32_768 && !kept?.equals(bytes))
      throw new Error('the dead letter lost bytes of its element');
    if (letter.length > 128 * 1024 || value.length > element.length + mostReason + 1024)
      throw new Error('the end is larger than its job');
    deadLetterId(`${list}:dead`, letter);
  }

  if (row.elements === 'ids') {
    const id = bareId(element);
    if (id !== null) {
      jobId.parse(id);
      return 'readable';
    }
    assertBuried({
      code: 'invalid_envelope',
      reason: `${list} takes job ids, and this is none`,
      header: null,
    });
    return 'unreadable';
  }

  const read = readEnvelope(stage, element);
  if (!isDeepStrictEqual(readEnvelope(stage, element), read))
    throw new Error('read otherwise the second time');
  if (typeof element === 'string') {
    const header = readElementHeader(element);
    const changed = changeHeader(element, {
      attempt: 2,
      tries: addTry(header?.tries, { kind: 'lost', stage, worker: 'w' }),
    });
    if (header !== null && readElementHeader(changed)?.id !== header.id)
      throw new Error('a changed header lost its id');
  }
  if (read.kind === 'unreadable') {
    assertBuried(read);
    return 'unreadable';
  }
  const input = read.input as InputOf<StageName>;
  jobId.parse(input.id);
  const handedOn: unknown = JSON.parse(JSON.stringify(input));
  const again: unknown = JSON.parse(JSON.stringify(row.input.parse(handedOn)));
  if (!isDeepStrictEqual(again, handedOn))
    throw new Error('what was read does not come to itself when handed on');
  if (Object.getPrototypeOf(input) !== Object.prototype) throw new Error('the input has another prototype');
  const run = openRun(stage, delivery, input, moment.epochMs, moment, { enter: false, type: stage });
  const { letter, value } = buryOrder(identity, run, 'poison', 'its worker died');
  assertLetter(letter, value);
  return 'readable';
}

it('the saved corpus keeps every law, at every stage', () => {
  for (const file of corpus) {
    for (const stage of stageNames) {
      expect.soft(() => assertLaws(stage, elementOf(file.bytes)), `${file.name} at ${stage}`).not.toThrow();
    }
  }
});

it('what names every field of its stage is read, what names something wrong is not', () => {
  const endings = Object.fromEntries(
    corpus.map((file) => [file.name, assertLaws(stageOfFile(file), elementOf(file.bytes))]),
  );
  expect(Object.keys(endings).filter((name) => endings[name] === 'readable')).toMatchInlineSnapshot(`
    [
      "audit.every-field.json",
      "chunks.every-field.json",
      "embed.every-field.json",
      "encode.every-field.json",
      "encode.half-a-character.json",
      "encode.keys-of-the-prototype.json",
      "encode.pushed-by-hand.json",
      "encode.tries-nobody-can-read.json",
      "encode.two-ids.json",
      "generate.every-field.json",
      "ingest.every-field.json",
      "ingest.raw-body.json",
      "ingest.text-of-nothing-but-a-zero.json",
      "retrieve.every-field.json",
      "store.every-field.json",
      "store.vector-that-is-no-number-of-floats.json",
      "upload.bare-id.txt",
    ]
  `);
});

it('envelopes and ids that are nearly some are read or buried, each in one way', () => {
  const { cases, seed } = fuzzBudget(4000);
  const complaints: string[] = [];
  const counts = { readable: 0, unreadable: 0 };
  for (let number = 0; number < cases; number += 1) {
    const chance = Chance.ofCase(seed, number);
    const file = corpus[number % corpus.length] as CorpusFile;
    const stage = chance.is(0.8) ? stageOfFile(file) : chance.oneOf(stageNames);
    const made = mutated(file.bytes, chance);
    try {
      counts[assertLaws(stage, elementOf(made))] += 1;
    } catch (error) {
      complaints.push(
        `case ${number} of seed ${seed}, ${stage} from ${file.name}: ${error instanceof Error ? error.stack : error}\n${made.toString('latin1').slice(0, 500)}`,
      );
    }
  }
  expect(complaints).toEqual([]);
  // Otherwise only the doors would have been tried.
  expect(counts.readable / cases).toBeGreaterThan(0.1);
  expect(counts.unreadable / cases).toBeGreaterThan(0.1);
  expect(Object.prototype).not.toHaveProperty('polluted');
}, 3_600_000);

function mutated(bytes: Buffer, chance: Chance): Buffer {
  const how = chance.below(10);
  if (how < 2) return mutateBytes(bytes, chance, chance.oneOf(corpus).bytes);
  const text = bytes.toString('utf8');
  if (how < 4)
    return Buffer.from(
      mutateText(text, chance, ['{', '}', '[', ']', ',', ':', '"', '\\', '\\u0000', '\\ud800']),
    );
  try {
    return Buffer.from(JSON.stringify(mutateJson(JSON.parse(text), chance)) ?? '');
  } catch {
    return mutateBytes(bytes, chance, chance.oneOf(corpus).bytes);
  }
}
