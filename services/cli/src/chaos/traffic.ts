import { stages } from '@vortex/contracts';
import type { SubmittedJob } from '@vortex/queue';
import { percentile } from '../bench/percentile.ts';
import type { Chain } from './chain.ts';
import { countRuns } from './ledger.ts';
import { type Load, readEnd } from './load.ts';
import { onChain, seconds } from './on-chain.ts';
import { type Check, check, type Scenario } from './scenario.ts';
import { pause, within } from './within.ts';

/** Far enough apart that whoever dies of one has others in hand than whoever dies of the next; however many jobs there are. */
export const poisonous = (jobs: number) => [0.035, 0.195, 0.355].map((part) => Math.floor(jobs * part));
/** What clients, or somebody with `redis-cli`, may send. */
const badOfEachKind = 10;

export const trafficScenarios: readonly Scenario[] = [
  onChain({
    name: 'poison-job',
    family: 'traffic',
    holds: 'a job that kills its worker is dead after three deliveries, and every other job ends well',
    share: 4,
    seconds: 45,
    dead: 3,
    completes: (number, jobs) => !poisonous(jobs).includes(number),
    // Long enough that whoever dies of poison has others in hand.
    query: (number, jobs) =>
      poisonous(jobs).includes(number) ? 'die@retrieve' : `work=${200 + (number % 7) * 40}`,
    async disturb(chain, load) {
      await load.done;
      const numbers = poisonous(load.jobs);
      const deliveries = numbers.map(
        (number) =>
          chain.ledger().filter(({ id, stage, event }) => {
            return id === `${load.prefix}${number}` && stage === 'retrieve' && event === 'begin';
          }).length,
      );
      const codes = numbers.map((number) => load.ends().get(`${load.prefix}${number}`)?.code);
      return {
        checks: [
          check(
            'each was delivered three times',
            deliveries.every((count) => count === 3),
            deliveries.join(', '),
          ),
          check(
            'each ended as poison',
            codes.every((code) => code === 'poison'),
            codes.join(', '),
          ),
        ],
      };
    },
  }),
  onChain({
    name: 'bad-envelopes',
    family: 'traffic',
    holds:
      'broken JSON, wrong fields, 5 MB, bytes that are no text and unknown versions go to the dead list; a list of the wrong type stops its stage only, until it is gone',
    share: 4,
    seconds: 24,
    dead: badOfEachKind * 7,
    disturb: pushBadEnvelopes,
  }),
  onChain({
    name: 'duplicate-and-disconnect',
    family: 'traffic',
    holds:
      'a job sent thrice runs once; one whose client left still ends; one that is late is not run; an answer is kept for 60 s',
    share: 4,
    seconds: 12,
    neverTwice: true,
    disturb: sendTwiceAndLeave,
  }),
  onChain({
    name: 'tenant-flood',
    family: 'traffic',
    holds:
      'one tenant floods the document lane: the 95th percentile of everybody’s questions rises by less than 20 %',
    share: 4,
    // Two percentiles are compared, each of one half.
    leastJobs: 200,
    seconds: 40,
    query: () => 'work=40',
    neverTwice: true,
    disturb: flood,
  }),
];

async function pushBadEnvelopes(
  chain: Chain,
  load: Load,
): Promise<{ checks: Check[]; own: Record<string, number> }> {
  const { direct } = chain;
  const ids: string[] = [];
  for (let number = 0; number < badOfEachKind; number += 1) {
    const id = (kind: string) => {
      const made = `${load.prefix}${kind}-${number}`;
      ids.push(made);
      return made;
    };
    await direct.rpush('job:encoder_in', `{"id":"${load.prefix}broken-${number}","query":`);
    await direct.rpush('job:encoder_in', JSON.stringify(['no object', number]));
    await direct.rpush('job:retriever_in', Buffer.from([0x7b, 0xff, 0xfe, number, 0x7d]));
    await direct.rpush('job:encoder_in', JSON.stringify({ id: id('wrong'), query: { text: 'no string' } }));
    await direct.rpush('job:retriever_in', JSON.stringify({ id: id('lacking') }));
    await direct.rpush(
      'job:encoder_in',
      JSON.stringify({ id: id('future'), v: 99, query: 'from the future' }),
    );
    await direct.rpush(
      'job:encoder_in',
      JSON.stringify({ id: id('large'), query: 'x'.repeat(5 * 1024 * 1024) }),
    );
    await pause(200);
  }
  const completions = async () => {
    const texts = await direct.mget(ids.map((id) => `job:completion:${id}`));
    return texts.filter((text) => text !== null).map((text) => readEnd(text).status);
  };
  await within(30_000, 'each with a readable id has a completion', async () => {
    return (await completions()).length === ids.length;
  }).catch(() => undefined);
  const statuses = await completions();

  // Only while the list is empty and so not there: SET would wipe what waits in it.
  const list = 'job:retriever_in';
  await within(
    10_000,
    'the list is empty',
    async () => (await direct.set(list, 'no list', 'NX')) === 'OK',
    1,
  );
  await pause(1_500);
  const stuck = load.inChain();
  await direct.del(list);
  return {
    checks: [
      check(
        'who can be told is told that it failed',
        statuses.length === ids.length && statuses.every((status) => status === 'failed'),
        `${statuses.length} of ${ids.length}`,
      ),
    ],
    own: { bad: badOfEachKind * 7, waited_for_the_list: stuck },
  };
}

async function sendTwiceAndLeave(
  chain: Chain,
  load: Load,
): Promise<{ checks: Check[]; own: Record<string, number> }> {
  const { submitter, direct } = chain;
  const patience = AbortSignal.timeout(90_000);
  const job = (id: string, deadlineAt = Date.now() + 60_000): SubmittedJob => ({
    list: stages.encode.list,
    lane: 'interactive',
    id,
    deadlineAt,
    envelope: { query: 'work=30' },
    candidates: chain.candidates,
    cap: 10_000,
  });
  const idsOf = (kind: string, count: number) =>
    Array.from({ length: count }, (_, number) => `${load.prefix}${kind}-${number}`);

  const same = await Promise.all(
    idsOf('thrice', 40).map(async (id) => {
      const texts = await Promise.all([1, 2, 3].map(() => submitter.submit(job(id), { signal: patience })));
      return new Set(texts).size === 1;
    }),
  );

  const left = idsOf('left', 40);
  const leaving = left.map((id, number) =>
    submitter.submit(job(id), { signal: AbortSignal.timeout(5 + number) }),
  );
  await Promise.allSettled(leaving);
  const cancelled = left.slice(0, 20);
  for (const id of cancelled) await submitter.cancel(id);
  await within(20_000, 'those whose client left have ended', async () => {
    return (await direct.mget(left.map((id) => `job:completion:${id}`))).every((text) => text !== null);
  });

  const late = idsOf('late', 20);
  const lateEnds = (
    await Promise.all(late.map((id) => submitter.submit(job(id, Date.now() - 1_000), { signal: patience })))
  ).map(readEnd);
  const entries = chain.ledger();
  const lateRuns = entries.filter(({ id }) => late.includes(id)).length;
  const duplicated = countRuns(entries.filter(({ id }) => id.includes('thrice')));

  await load.done;
  const last = `${load.prefix}${load.jobs - 1}`;
  const ttlMs = await direct.pttl(`job:completion:${last}`);
  const goneAfterMs = await within(62_000, 'the last answer is gone', async () => {
    return (await direct.exists(`job:completion:${last}`)) === 0;
  });
  return {
    checks: [
      check(
        'all three got the same answer',
        same.every(Boolean),
        `${same.filter(Boolean).length} of ${same.length}`,
      ),
      check('a job sent thrice ran once', duplicated.repeated === 0, `${duplicated.runs} runs`),
      check(
        'a late job is answered as such and never run',
        lateRuns === 0 && lateEnds.every(({ code }) => code === 'deadline_exceeded'),
        `${lateRuns} runs`,
      ),
      check(
        'an answer expires after 60 s',
        ttlMs > 50_000 && ttlMs <= 60_000,
        `${ttlMs} ms left, gone after ${seconds(goneAfterMs)} s`,
      ),
    ],
    own: { thrice: same.length, left: left.length, late: late.length },
  };
}

/** Tenants share their lanes today; what keeps them apart is that questions and documents do not. */
async function flood(chain: Chain, load: Load): Promise<{ checks: Check[]; own: Record<string, number> }> {
  const half = Math.floor(load.jobs / 2);
  await within(60_000, 'half of the questions were asked in quiet', () => load.submitted() >= half);
  const size = load.jobs * 10;
  const chunkOf = (id: string) => ({
    chunk_id: id,
    ordinal: 0,
    text: 'work=20',
    source_span: [0, 7] as const,
    page: null,
    heading_path: [],
    context: '',
    tokens: 1,
  });
  const flooding = (async () => {
    for (let number = 0; number < size; number += 1) {
      const id = `${load.prefix}flood-${number}`;
      await chain.submitter.enqueue({
        list: stages.embed.list,
        lane: 'low',
        id,
        deadlineAt: Date.now() + 300_000,
        envelope: {
          tenant: 'flooder',
          collection: 'flood',
          document_id: id,
          version: 1,
          title: '',
          chunks: [chunkOf(id)],
        },
        cap: Number.MAX_SAFE_INTEGER,
      });
    }
  })();
  let deepest = 0;
  while (load.submitted() < load.jobs) {
    deepest = Math.max(deepest, await chain.direct.llen(stages.embed.list));
    await pause(200);
  }
  await flooding;
  await load.done;
  const floodedIds = Array.from({ length: size }, (_, number) => `${load.prefix}flood-${number}`);
  await within(
    120_000,
    'the flood has ended',
    async () => (await chain.direct.zcard('job:live:low')) === 0,
    200,
  );
  const ran = countRuns(chain.ledger().filter(({ id }) => id.includes('flood-')));
  const quiet = percentile(load.latenciesMs().slice(0, half), 95);
  const flooded = percentile(load.latenciesMs().slice(half), 95);
  const risePercent = Math.round((flooded / quiet - 1) * 1000) / 10;
  return {
    checks: [
      check('p95 rose by less than 20 %', risePercent < 20, `${risePercent} %`),
      check('the flood was one', deepest > size / 20, `${deepest} waited`),
      check(
        'all of the flood was done',
        ran.runs === 2 * floodedIds.length,
        `${ran.runs} runs of ${2 * size}`,
      ),
    ],
    own: {
      flood: size,
      deepest,
      p95_quiet_ms: Math.round(quiet),
      p95_flooded_ms: Math.round(flooded),
      rise_percent: risePercent,
    },
  };
}
