import { createMetrics, silentLogger } from '@vortex/observability';
import { runStages } from '@vortex/runtime';
import { Redis } from 'ioredis';
import { answer, type ChainSystem, question, slotsPerStage, stageLists, vector } from './chain-payload.ts';

/**
 * The worker process of the chain bench: three stages that do nothing, in one of three systems. Arguments:
 * system, Redis URL. Says `ready` to its parent, ends when the parent does.
 */
const [system, url = ''] = process.argv.slice(2) as [ChainSystem, string];

async function runVortex(): Promise<void> {
  const stages = await runStages({
    service: 'bench',
    workerName: 'bench',
    redis: { url },
    log: silentLogger,
    metrics: createMetrics('bench'),
    lanes: {
      encode: {
        slots: slotsPerStage,
        handler: async ({ query }) => ({
          kind: 'forward',
          to: 'retrieve',
          payload: { query, embedding: vector },
        }),
      },
      retrieve: {
        slots: slotsPerStage,
        handler: async ({ query }) => ({
          kind: 'forward',
          to: 'generate',
          payload: { query, collection: 'default', messages: [{ role: 'user', content: '' }], sources: [] },
        }),
      },
      generate: { slots: slotsPerStage, handler: async () => ({ kind: 'done', result: answer }) },
    },
    drainBudgetMs: 100,
  });
  await stages.onceReady();
}

/** Three queues and workers as the documentation recommends; finished jobs are removed, as ours expire. */
async function runBullmq(): Promise<void> {
  const { Queue, Worker } = await import('bullmq');
  const { port } = new URL(url);
  const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null };
  const retrieve = new Queue('retrieve', { connection });
  const generate = new Queue('generate', { connection });
  const options = { connection, concurrency: slotsPerStage };
  const jobOptions = { removeOnComplete: true, removeOnFail: 1000, attempts: 3 };
  const workers = [
    new Worker(
      'encode',
      async (job) => {
        await retrieve.add(
          'query',
          { query: job.data.query, embedding: vector },
          { ...jobOptions, jobId: String(job.id) },
        );
      },
      options,
    ),
    new Worker(
      'retrieve',
      async (job) => {
        const { query } = job.data;
        const data = { query, collection: 'default', messages: [{ role: 'user', content: '' }], sources: [] };
        await generate.add('query', data, { ...jobOptions, jobId: String(job.id) });
      },
      options,
    ),
    new Worker('generate', async () => answer, options),
  ];
  await Promise.all([retrieve, generate, ...workers].map((part) => part.waitUntilReady()));
}

/** What the seeds do: pop, work, push. A job that is popped when its worker dies is gone. */
async function runBare(): Promise<void> {
  const commands = new Redis(url);
  const nextElements = [
    (id: string) => JSON.stringify({ id, query: question, embedding: vector }),
    (id: string) => JSON.stringify({ id, query: question, collection: 'default', messages: [], sources: [] }),
  ];
  for (const [place, list] of stageLists.entries()) {
    const blocking = new Redis(url);
    void (async () => {
      for (;;) {
        const popped = await blocking.blpop(list, 0);
        if (popped === null) continue;
        const { id } = JSON.parse(popped[1]) as { id: string };
        const next = stageLists[place + 1];
        const element = nextElements[place];
        if (next === undefined || element === undefined) {
          await commands.set(`job:completion:${id}`, JSON.stringify(answer), 'EX', 60);
        } else await commands.rpush(next, element(id));
      }
    })();
  }
}

const run = { vortex: runVortex, bullmq: runBullmq, bare: runBare } satisfies Record<
  ChainSystem,
  () => Promise<void>
>;
await run[system]();
process.send?.('ready');
process.on('disconnect', () => process.exit(0));
