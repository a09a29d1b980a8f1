import { createSubmitter } from '@vortex/queue';
import { Redis } from 'ioredis';
import { type ChainSystem, question, stageLists } from './chain-payload.ts';

/** The waiting side of a system: sends one query through its chain and resolves with the answer's text. */
export interface ChainGateway {
  ask(id: string): Promise<void>;
  close(): Promise<void>;
}

export async function openGateway(system: ChainSystem, url: string): Promise<ChainGateway> {
  const open = { vortex: openVortex, bullmq: openBullmq, bare: openBare };
  return open[system](url);
}

async function openVortex(url: string): Promise<ChainGateway> {
  const submitter = createSubmitter({ redis: { url }, name: `bench-${process.pid}` });
  await submitter.start();
  while (!submitter.isReady()) await new Promise((resolve) => setTimeout(resolve, 10));
  return {
    async ask(id) {
      const completion = await submitter.submit({
        list: stageLists[0],
        lane: 'interactive',
        id,
        deadlineAt: Date.now() + 60_000,
        envelope: { query: question },
        cap: 10_000,
      });
      const { status } = JSON.parse(completion) as { status: string };
      if (status !== 'completed') throw new Error(`the chain answered ${completion}`);
    },
    close: () => submitter.close(),
  };
}

/** `completed` events of the last queue wake the waits: cheaper than one `waitUntilFinished` per job. */
async function openBullmq(url: string): Promise<ChainGateway> {
  const { Queue, QueueEvents } = await import('bullmq');
  const connection = { host: '127.0.0.1', port: Number(new URL(url).port) };
  const queue = new Queue('encode', { connection });
  const events = new QueueEvents('generate', { connection });
  const waits = new Map<string, () => void>();
  events.on('completed', ({ jobId, returnvalue }) => {
    // The value arrives parsed; reading it keeps the comparison honest about who had it in hand.
    if (returnvalue === undefined) throw new Error('BullMQ sent no return value');
    waits.get(jobId)?.();
  });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  return {
    ask(id) {
      return new Promise((resolve, reject) => {
        waits.set(id, () => {
          waits.delete(id);
          resolve();
        });
        const options = { jobId: id, removeOnComplete: true, removeOnFail: 1000, attempts: 3 };
        queue.add('query', { query: question }, options).catch(reject);
      });
    },
    async close() {
      await events.close();
      await queue.close();
    },
  };
}

const barePollMs = 50;

async function openBare(url: string): Promise<ChainGateway> {
  const client = new Redis(url);
  await client.ping();
  return {
    async ask(id) {
      await client.rpush(stageLists[0], JSON.stringify({ id, query: question }));
      while ((await client.get(`job:completion:${id}`)) === null) {
        await new Promise((resolve) => setTimeout(resolve, barePollMs));
      }
    },
    async close() {
      client.disconnect();
    },
  };
}
