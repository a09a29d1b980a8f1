import { createMetrics, silentLogger } from '@vortex/observability';
import { createSubmitter, type SubmittedJob, type Submitter } from '@vortex/queue';
import { openTestRedis, type TestRedis, until } from '@vortex/testkit';
import { type RunningStages, type RunStagesOptions, runStages } from '../src/index.ts';

/** A test file's own database, with stages and submitters that are stopped after each test. */
export interface Workbench {
  redis: TestRedis;
  start(lanes: RunStagesOptions['lanes'], more?: Partial<RunStagesOptions>): Promise<RunningStages>;
  submitter(): Promise<Submitter>;
  completion(id: string): Promise<Record<string, unknown>>;
  letters(list: string): Promise<Record<string, unknown>[]>;
  clear(): Promise<void>;
  close(): Promise<void>;
}

export async function openWorkbench(name: string): Promise<Workbench> {
  const redis = await openTestRedis();
  const releases: (() => Promise<void>)[] = [];
  let number = 0;

  async function clear(): Promise<void> {
    for (const release of releases.splice(0).reverse()) await release();
    await redis.client.flushdb();
  }

  return {
    redis,
    async start(lanes, more = {}) {
      const stages = await runStages({
        service: name,
        workerName: `${name}_1`,
        redis,
        log: silentLogger,
        metrics: createMetrics(name),
        lanes,
        drainBudgetMs: 200,
        ...more,
      });
      releases.push(() => stages.stop());
      await stages.onceReady();
      return stages;
    },
    async submitter() {
      number += 1;
      const submitter = createSubmitter({
        redis,
        name: `${name}-${process.pid}-${number}`,
        checkMs: 50,
        caretaker: { tickMs: 0 },
      });
      releases.push(() => submitter.close());
      await submitter.start();
      await until('the submitter is ready', () => submitter.isReady());
      return submitter;
    },
    async completion(id) {
      return JSON.parse(
        await until(`the completion of ${id}`, () => redis.client.get(`job:completion:${id}`)),
      );
    },
    async letters(list) {
      return (await redis.client.lrange(`${list}:dead`, 0, -1)).map((letter) => JSON.parse(letter));
    },
    clear,
    async close() {
      await clear();
      await redis.close();
    },
  };
}

export function question(id: string, more: Partial<SubmittedJob> = {}): SubmittedJob {
  return {
    list: 'job:encoder_in',
    lane: 'interactive',
    id,
    deadlineAt: Date.now() + 600_000,
    envelope: { query: `about ${id}` },
    cap: 10_000,
    ...more,
  };
}

export const vector = Buffer.from(new Float32Array([1, 0]).buffer).toString('base64');
export const hits = { hits: [], collection: 'default', mode: 'dense' as const, degraded: [] };

export const anAnswer = (answer: string) => ({
  answered: true,
  answer,
  refusal: null,
  citations: [],
  sources: [],
  worker: null,
  replica: null,
  model: null,
  collection: 'default',
  degraded: [],
  usage: { prompt_tokens: null, completion_tokens: null },
});

/** An envelope that `generate` takes. */
export const generateEnvelope = (id: string) => ({
  query: id,
  collection: 'default',
  messages: [{ role: 'user' as const, content: id }],
  sources: [],
});
