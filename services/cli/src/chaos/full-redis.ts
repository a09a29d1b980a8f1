import { stages } from '@vortex/contracts';
import type { Chain } from './chain.ts';
import type { Load } from './load.ts';
import { seconds } from './on-chain.ts';
import { type Check, check } from './scenario.ts';
import { within } from './within.ts';

const questions = 200;
const documents = 40;
const leastBacklog = 100;
const leastRefused = 20;

/**
 * Redis is above its `maxmemory` until everything that was admitted has ended. It does not let go in between: a
 * limit that is passed for moments only lets through what a Redis that stays full would not.
 *
 * The first stage is slow and the others wait for it most of the time: whoever is idle asks for work in another way
 * than whoever has just finished some, and that way must be open too.
 */
export async function runWhileFull(
  chain: Chain,
  load: Load,
): Promise<{ checks: Check[]; own: Record<string, number | string> }> {
  const { direct } = chain;
  await within(10_000, 'the first jobs have ended', () => load.ended() > 3);
  const backlog = await admitBacklog(chain, load.prefix);
  const waiting = questions - backlog.endedQuestions() + load.inChain();
  const documentsUnderWay = documents - (await backlog.endedDocuments());
  const refusedBefore = load.refusals();
  let probes = 0;
  let letThrough = 0;
  let documentsWhileFull = 0;
  await direct.config('SET', 'maxmemory', '1mb');
  try {
    const filledAt = performance.now();
    const drained = await within(fullMs, 'what had been admitted has ended', async () => {
      probes += 1;
      const told = await direct.set('chaos:probe', 'x', 'PX', 1).catch(() => null);
      if (told !== null) letThrough += 1;
      return backlog.endedQuestions() === questions && load.inChain() === 0;
    }).then(
      () => true,
      () => false,
    );
    const drainedMs = performance.now() - filledAt;
    const endedQuestions = backlog.endedQuestions();
    // Refusals need their time too, and documents have no more of it than questions.
    await within(10_000, 'new work was refused often enough', () => {
      return load.refusals() - refusedBefore >= leastRefused;
    }).catch(() => undefined);
    documentsWhileFull = await backlog.endedDocuments();
    const refused = load.refusals() - refusedBefore;
    await direct.config('SET', 'maxmemory', '0');

    const endedBefore = load.ended();
    const returnedMs = await within(30_000, 'jobs end again', () => load.ended() > endedBefore + 3);
    const allDocuments = await within(60_000, 'the documents have ended', async () => {
      return (await backlog.endedDocuments()) === documents;
    }).then(
      () => true,
      () => false,
    );
    await backlog.done;
    return {
      checks: [
        check('questions had been admitted', waiting >= leastBacklog, waiting),
        check('documents were under way', documentsUnderWay > 0, documentsUnderWay),
        check(
          'Redis was full all the time',
          letThrough === 0,
          `${letThrough} of ${probes} writes let through`,
        ),
        check('new work was refused', refused >= leastRefused, refused),
        check(
          'every admitted question ended while Redis was full',
          drained,
          `${endedQuestions} of ${questions}, ${load.inChain()} of the load left, ${seconds(drainedMs)} s`,
        ),
        check('every document ended', allDocuments, `${await backlog.endedDocuments()} of ${documents}`),
        check(
          'refusals came within a second',
          load.slowestRefusalMs() < 1_000,
          `${Math.round(load.slowestRefusalMs())} ms`,
        ),
      ],
      own: {
        refused,
        admitted_before: waiting,
        drained_while_full_s: drained ? seconds(drainedMs) : 'never',
        documents_under_way: documentsUnderWay,
        documents_ended_while_full: documentsWhileFull,
        back_after_s: seconds(returnedMs),
      },
    };
  } finally {
    await direct.config('SET', 'maxmemory', '0');
  }
}

/** Four times what the backlog takes with memory to spare. */
const fullMs = 45_000;

interface Backlog {
  endedQuestions(): number;
  endedDocuments(): Promise<number>;
  done: Promise<unknown>;
}

/** All of it is taken when this resolves. */
async function admitBacklog({ submitter, candidates, direct }: Chain, prefix: string): Promise<Backlog> {
  const deadlineAt = Date.now() + 180_000;
  let ended = 0;
  let admitted = 0;
  const asked = Array.from({ length: questions }, async (_, number) => {
    await submitter.submit(
      {
        list: stages.encode.list,
        lane: 'interactive',
        id: `${prefix}backlog-${number}`,
        deadlineAt,
        envelope: { query: 'work@encode=400 work=10' },
        candidates,
        cap: 10_000,
      },
      {
        signal: AbortSignal.timeout(150_000),
        onAdmitted: () => {
          admitted += 1;
        },
      },
    );
    ended += 1;
  });
  const done = Promise.allSettled(asked);
  const ids = Array.from({ length: documents }, (_, number) => `${prefix}document-${number}`);
  for (const id of ids) {
    await submitter.enqueue({
      list: stages.embed.list,
      lane: 'low',
      id,
      deadlineAt,
      envelope: {
        ...{ tenant: 'chaos', collection: 'chaos', document_id: id, version: 1, title: '' },
        chunks: [
          {
            ...{ chunk_id: id, ordinal: 0, text: 'work=600', source_span: [0, 8] as const, page: null },
            ...{ heading_path: [], context: '', tokens: 1 },
          },
        ],
      },
      cap: 10_000,
    });
  }
  await within(10_000, 'the backlog is taken', () => admitted === questions, 5);
  return {
    endedQuestions: () => ended,
    async endedDocuments() {
      const scores = await Promise.all(ids.map((id) => direct.zscore('job:live:low', id)));
      return scores.filter((score) => score === null).length;
    },
    done,
  };
}
