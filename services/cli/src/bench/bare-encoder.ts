import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { defaultModel, loadTokenizer } from '@vortex/embedding';
import type { BareThreadReply, BareThreadRequest, BareThreadSettings } from './bare-session-thread.ts';

/** Bare sessions of one configuration: so many worker threads, each session of so many cores. */
export interface BareSessions {
  readonly name: string;
  /** Every thread loops over a set of texts for the given time; texts per second of all together. */
  textsPerSecond(set: number, ms: number): Promise<number>;
  /** Mean token vector of each text of a set. */
  vectors(set: number): Promise<Float32Array[]>;
  close(): Promise<void>;
}

const threadFile = new URL(
  import.meta.url.endsWith('.ts') ? './bare-session-thread.ts' : './bare-session-thread.js',
  import.meta.url,
);

/** @throws what a session that cannot be made says. */
export async function startBareSessions(options: {
  modelsDir: string;
  threads: number;
  intraOpThreads: number;
  /** Texts by set; tokenised here, outside of what is measured. */
  sets: readonly (readonly string[])[];
}): Promise<BareSessions> {
  const { modelsDir, threads, intraOpThreads } = options;
  const tokenizer = await loadTokenizer({ model: defaultModel, modelsDir });
  const workerData: BareThreadSettings = {
    onnxPath: join(modelsDir, defaultModel, 'onnx', 'model_quantized.onnx'),
    intraOpThreads,
    sets: options.sets.map((texts) => texts.map((text) => tokenizer.encode(text).ids)),
  };
  const workers = Array.from({ length: threads }, () => new Worker(threadFile, { workerData }));
  const close = async () => {
    await Promise.all(
      workers.map(async (worker) => {
        const ended = once(worker, 'exit');
        worker.postMessage({ kind: 'stop' } satisfies BareThreadRequest);
        await ended;
      }),
    );
  };
  await Promise.all(workers.map((worker) => nextReply(worker)));

  async function ask<Kind extends BareThreadReply['kind']>(
    worker: Worker,
    request: BareThreadRequest,
    kind: Kind,
  ): Promise<Extract<BareThreadReply, { kind: Kind }>> {
    const answer = nextReply(worker);
    worker.postMessage(request);
    const reply = await answer;
    if (reply.kind !== kind) throw new Error(`a bare session answered ${reply.kind} to ${request.kind}`);
    return reply as Extract<BareThreadReply, { kind: Kind }>;
  }

  return {
    name: `${threads} session${threads === 1 ? '' : 's'} × ${intraOpThreads} core${intraOpThreads === 1 ? '' : 's'}`,
    async textsPerSecond(set, ms) {
      const runs = await Promise.all(
        // Each starts elsewhere in the set, so that two threads do not run the same text side by side.
        workers.map((worker, index) => ask(worker, { kind: 'loop', set, from: index * 7, ms }, 'looped')),
      );
      return runs.reduce((sum, run) => sum + (run.texts * 1000) / run.ms, 0);
    },
    async vectors(set) {
      const [first] = workers;
      if (first === undefined) return [];
      return (await ask(first, { kind: 'states', set }, 'states')).vectors;
    },
    close,
  };
}

/** The next message; rejects when the thread fails or ends instead (`once` rejects on `error`). */
async function nextReply(worker: Worker): Promise<BareThreadReply> {
  const gone = new AbortController();
  const onExit = (code: number) => gone.abort(new Error(`a bare session ended with code ${code}`));
  worker.once('exit', onExit);
  try {
    const [reply] = await once(worker, 'message', { signal: gone.signal });
    return reply as BareThreadReply;
  } finally {
    worker.off('exit', onExit);
  }
}

/**
 * What the machine's encoder could do with nothing around it, on the caller's own questions: one bare
 * session per core (two at most, as the encoder service), and one session asked one question at a time.
 */
export async function measureBareEncoder(options: {
  modelsDir: string;
  texts: readonly string[];
  seconds: number;
}): Promise<{ queriesPerSecond: number; oneAtATimeMs: number }> {
  const { modelsDir, texts, seconds } = options;
  const start = (threads: number) =>
    startBareSessions({ modelsDir, threads, intraOpThreads: 1, sets: [texts] });
  const single = await start(1);
  let oneAtATimeMs: number;
  try {
    oneAtATimeMs = 1000 / (await single.textsPerSecond(0, Math.min(1, seconds) * 1000));
  } finally {
    await single.close();
  }
  const all = await start(Math.min(2, availableParallelism()));
  try {
    return { queriesPerSecond: await all.textsPerSecond(0, seconds * 1000), oneAtATimeMs };
  } finally {
    await all.close();
  }
}
