import { join } from 'node:path';
import { type AnswerFrameBody, completionOf, jobResponse, problem, storeResult } from '@vortex/contracts';
import {
  Chance,
  type CorpusFile,
  fuzzBudget,
  mutateBytes,
  mutateJson,
  mutateText,
  readCorpus,
} from '@vortex/testkit/fuzz';
import { describe, expect, it } from 'vitest';
import { createAnswerEvents } from '../src/answer-events.ts';
import { jobOfHash } from '../src/jobs/job-view.ts';
import { frame, type GatewayUnderTest, gatewayUnderTest } from './gateway-under-test.ts';

/**
 * A completion is read from Redis, where anyone may have written it. Whatever stands there, a question ends with 200 and
 * the fields of an answer, or with a problem document whose code is listed; never with an error nobody knows.
 */
const corpus = readCorpus(join(import.meta.dirname, 'corpus'));
const fuzzed = fuzzBudget(250);
const query = { query: 'Which lists?', cache: 'bypass' };
const routes: readonly [string, object][] = [
  ['/query', query],
  ['/query', { ...query, stream: true }],
  ['/search', { query: 'Which lists?' }],
  ['/v1/chat/completions', { model: 'rag', messages: [{ role: 'user', content: 'Which lists?' }] }],
];

async function complaintOf(gateway: GatewayUnderTest, route: string, body: object): Promise<string | null> {
  const response = await gateway.post(route, body);
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('text/event-stream')) {
    return /"code":"internal"/.test(text) && !/newer worker|it went wrong/.test(text)
      ? text.slice(-400)
      : null;
  }
  const read: unknown = JSON.parse(text);
  if (response.status === 200) {
    const fields = read as Record<string, unknown>;
    const isWhole =
      typeof fields.answer === 'string' || Array.isArray(fields.hits) || Array.isArray(fields.choices);
    return isWhole ? null : `200 without an answer: ${text.slice(0, 300)}`;
  }
  if (route.startsWith('/v1/')) return 'error' in (read as object) ? null : text.slice(0, 300);
  const parsed = problem.safeParse(read);
  if (!parsed.success) return `${response.status} is no problem document: ${text.slice(0, 300)}`;
  return /does not know/.test(parsed.data.detail) ? `an error nobody knows: ${text.slice(0, 300)}` : null;
}

function mutated({ bytes }: CorpusFile, chance: Chance): string {
  const text = bytes.toString('utf8');
  const how = chance.below(10);
  if (how < 2) return mutateBytes(bytes, chance, chance.oneOf(corpus).bytes).toString('utf8');
  if (how < 4) return mutateText(text, chance, ['{', '}', '[', ']', ',', ':', '"', '\\', '\\ud800']);
  try {
    return JSON.stringify(mutateJson(JSON.parse(text), chance)) ?? '';
  } catch {
    return mutateText(text, chance, ['{', '}', '"']);
  }
}

/** Every saved one as it is, then others that are nearly one of them. */
function* made(): Generator<{ name: string; text: string; chance: Chance }> {
  for (const { name, bytes } of corpus) {
    yield { name, text: bytes.toString('utf8'), chance: Chance.ofCase(fuzzed.seed, -1) };
  }
  for (let number = 0; number < fuzzed.cases; number += 1) {
    const chance = Chance.ofCase(fuzzed.seed, number);
    const file = corpus[number % corpus.length] as CorpusFile;
    yield {
      name: `case ${number} of seed ${fuzzed.seed}, from ${file.name}`,
      text: mutated(file, chance),
      chance,
    };
  }
}

describe('completions that may be none', () => {
  it('are answered, or refused with a code', async () => {
    const gateway = await gatewayUnderTest();
    const complaints: string[] = [];
    let completion = '';
    gateway.queue.script = async () => completion;
    for (const { name, text } of made()) {
      completion = text;
      for (const [route, body] of routes) {
        const complaint = await complaintOf(gateway, route, body).catch((error: Error) =>
          String(error.stack),
        );
        if (complaint !== null) complaints.push(`${name}, ${route}: ${complaint} ← ${text.slice(0, 300)}`);
      }
    }
    expect(complaints).toEqual([]);
  }, 3_600_000);

  it('of a job that somebody asks for are shown, or shown as nothing', () => {
    for (const { text, chance } of made()) {
      const names = [
        'id',
        'type',
        'status',
        'progress',
        'stage',
        'eta_ms',
        'result',
        'retry_count',
        'created_at',
      ];
      const fields = Object.fromEntries(
        names.map((name) => [
          name,
          chance.is(0.5) ? text.slice(0, 40) : chance.oneOf(['', '-1', '1e999', 'x']),
        ]),
      );
      const job = jobOfHash('qry_1', { ...fields, result: text });
      expect(jobResponse.safeParse(job).error?.issues ?? []).toEqual([]);
      expect(JSON.stringify(job).length).toBeLessThan(text.length * 7 + 2000);
    }
  });

  it('of a group of chunks fit their schema or are refused by it', () => {
    const schema = completionOf(storeResult);
    for (const { text } of made()) {
      try {
        schema.safeParse(JSON.parse(text));
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
      }
    }
  });
});

it('frames that may be none give events or nothing', () => {
  const bodies: AnswerFrameBody[] = [
    { kind: 'delta', text: 'The ' },
    { kind: 'sources', sources: [] },
  ];
  for (let number = 0; number < fuzzed.cases; number += 1) {
    const chance = Chance.ofCase(fuzzed.seed, number);
    const events = createAnswerEvents();
    for (let sent = 0; sent < 6; sent += 1) {
      const one = frame('qry_1', chance.oneOf(bodies), { attempt: 1 + chance.below(3) });
      for (const { event } of events.onFrame(chance.is(0.5) ? one : mutateJson(one, chance))) {
        expect(['sources', 'delta', 'citation', 'restart']).toContain(event);
      }
    }
  }
});
