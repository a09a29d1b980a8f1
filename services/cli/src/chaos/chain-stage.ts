import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobHeader } from '@vortex/contracts';
import { createMetrics, silentLogger } from '@vortex/observability';
import { type RunningStages, type RunStagesOptions, runStages } from '@vortex/runtime';
import { answer, vector } from '../bench/chain-payload.ts';
import type { ChainStage, ChainStageOptions } from './chain.ts';
import { ledgerLine, trueNowMs } from './ledger.ts';

/**
 * One worker process of the light chain: one stage of the real runtime with its real leases, and a handler that
 * works for a few milliseconds instead of thinking. Argument: `ChainStageOptions` as JSON. Says `ready` to its
 * parent; ends when the parent does; drains on SIGTERM as a service does.
 *
 * A query says what its handlers do: words of the form `work=<ms>`, `work@<stage>=<ms>`, `block@<stage>=<ms>` (the main loop is held),
 * `hang@<stage>=<ms>` (the same, on the first delivery only), `die@<stage>` (SIGKILL from within, whenever it is
 * run), anything else means nothing.
 *
 * Every run is noted in the ledger before it begins and when it ends, by one synchronous write each: what a killed
 * process has written is in the kernel's hands.
 */
const options = JSON.parse(process.argv[2] ?? '{}') as ChainStageOptions;
const ledger = openSync(options.ledger, 'a');

async function behave(stage: ChainStage, query: string, redelivered: number): Promise<void> {
  for (const word of query.split(' ')) {
    const [verb = '', amount = '0'] = word.split('=');
    if (verb === `die@${stage}`) process.kill(process.pid, 'SIGKILL');
    if (verb === `block@${stage}` || (verb === `hang@${stage}` && redelivered === 0)) {
      const end = performance.now() + Number(amount);
      while (performance.now() < end);
    }
    if (verb === 'work' || verb === `work@${stage}`) await delay(Number(amount));
  }
}

async function noted(stage: ChainStage, query: string, { id, redelivered }: JobHeader): Promise<void> {
  const write = (event: 'begin' | 'end') =>
    writeSync(ledger, ledgerLine({ id, stage, pid: process.pid, event, atMs: trueNowMs() }));
  write('begin');
  await behave(stage, query, redelivered);
  write('end');
}

const { slots } = options;
/** What a newer version of this stage might write: members that today's readers do not know. */
const news = options.writesNews ? { answer_style: 'brief', hints: { beam: 4 } } : {};

const lanes: RunStagesOptions['lanes'] = {
  encode: {
    slots,
    async handler({ query }, { job }) {
      await noted('encode', query, job);
      return { kind: 'forward', to: 'retrieve', payload: { query, embedding: vector, ...news } };
    },
  },
  retrieve: {
    slots,
    async handler({ query }, { job }) {
      await noted('retrieve', query, job);
      const messages = [{ role: 'user' as const, content: query }];
      const payload = { query, collection: 'default', messages, sources: [], ...news };
      return { kind: 'forward', to: 'generate', payload };
    },
  },
  generate: {
    slots,
    async handler({ query }, { job }) {
      await noted('generate', query, job);
      return { kind: 'done', result: { ...answer, worker: options.workerName, replica: options.replicaUrl } };
    },
  },
};

// Documents' lanes of the same two workers, with slots of their own. The first chunk's text says what is done.
const lowLanes: RunStagesOptions['lanes'] = {
  embed: {
    slots,
    async handler(input, { job }) {
      await noted('encode', input.chunks[0]?.text ?? '', job);
      const { collection, document_id, version, title } = input;
      const chunks = input.chunks.map((chunk) => ({ ...chunk, embedding: vector }));
      const payload = { collection, document_id, version, title, embedding_model: 'none', chunks };
      return { kind: 'forward', to: 'store', payload };
    },
  },
  store: {
    slots,
    async handler(input, { job }) {
      await noted('retrieve', input.chunks[0]?.text ?? '', job);
      return { kind: 'done', result: { stored: input.chunks.length, truncated: 0 } };
    },
  },
};

const running: RunningStages = await runStages({
  service: `chaos-${options.stage}`,
  workerName: options.workerName,
  redis: { url: options.redisUrl },
  log: silentLogger,
  metrics: createMetrics(`chaos-${options.stage}`),
  lanes: {
    [options.stage]: lanes[options.stage],
    ...(options.stage === 'encode' && { embed: lowLanes.embed }),
    ...(options.stage === 'retrieve' && { store: lowLanes.store }),
  },
  ...(options.stage === 'generate' && { replica: { url: options.replicaUrl ?? '', slots } }),
  drainBudgetMs: 5_000,
  ...(options.stuckMs !== undefined && { stuckMs: options.stuckMs }),
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => {
  void running.stop().then(() => {
    closeSync(ledger);
    process.exit(0);
  });
});
process.send?.('started');
await running.onceReady();
if (process.connected) process.send?.('ready');
