import type { VortexClient } from '@vortex/client';
import { askInClosedLoop } from './ask-in-closed-loop.ts';
import { percentile } from './percentile.ts';
import type { PrivateStack } from './private-stack.ts';
import { type CorpusFiles, uploadCorpus } from './upload-corpus.ts';

/** What questions feel of documents that are being read: P99 idle and loaded, in turns, and the one by the other. */
export interface QuestionRound {
  idle: Questions;
  loaded: Questions & { documents_accepted: number };
  ratio: number;
}

interface Questions {
  answered: number;
  p50_ms: number;
  p99_ms: number;
  errors: number;
}

const inFlight = 4;

export async function measureQuestions(run: {
  stack: PrivateStack;
  client: VortexClient;
  corpus: CorpusFiles;
  texts: readonly string[];
  seconds: number;
  round: number;
  say: (what: string) => void;
}): Promise<QuestionRound> {
  const { stack, client, corpus, texts, seconds, round, say } = run;
  const ask = async (): Promise<Questions> => {
    const countFrom = performance.now() + 1000;
    const until = countFrom + seconds * 1000;
    const { latencies, errors } = await askInClosedLoop({
      ...{ url: stack.url, collection: 'bench', texts, inFlight, countFrom, until },
    });
    return {
      answered: latencies.length,
      p50_ms: percentile(latencies, 50),
      p99_ms: percentile(latencies, 99),
      errors,
    };
  };
  const idleTurn = async () => {
    say('questions, idle');
    return ask();
  };
  const loadedTurn = async () => {
    say('questions while documents are read');
    const load = keepReading(client, corpus, `load-${round}`);
    try {
      await load.underWay;
      const asked = await ask();
      return { ...asked, documents_accepted: load.accepted() };
    } finally {
      await load.stop();
    }
  };
  // Who follows whom changes with the round.
  if (round % 2 === 1) {
    const idle = await idleTurn();
    const loaded = await loadedTurn();
    return { idle, loaded, ratio: loaded.p99_ms / idle.p99_ms };
  }
  const loaded = await loadedTurn();
  const idle = await idleTurn();
  return { idle, loaded, ratio: loaded.p99_ms / idle.p99_ms };
}

/**
 * Documents without a pause, one collection after the other, so that the load outlasts the questions however
 * fast the machine is. `stop` deletes the collections and returns when no job is open.
 */
function keepReading(client: VortexClient, corpus: CorpusFiles, name: string) {
  const stopping = new AbortController();
  const underWay = Promise.withResolvers<void>();
  let accepted = 0;
  const collections: string[] = [];
  const reading = (async () => {
    while (!stopping.signal.aborted) {
      const collection = `${name}-${collections.length + 1}`;
      collections.push(collection);
      await uploadCorpus(client, corpus, collection, {
        signal: stopping.signal,
        onAccepted: () => {
          accepted += 1;
          if (accepted === 50) underWay.resolve();
        },
      });
    }
  })();
  // A load that fails must not leave the questions waiting for it.
  reading.catch((error: unknown) => underWay.reject(error));
  return {
    underWay: underWay.promise,
    accepted: () => accepted,
    async stop() {
      stopping.abort();
      await reading;
      for (const collection of collections) await client.collections.delete(collection);
      await untilNothingIsOpen(client);
    },
  };
}

async function untilNothingIsOpen(client: VortexClient): Promise<void> {
  for (;;) {
    const pages = await Promise.all(
      (['queued', 'processing', 'retrying'] as const).map((state) => client.jobs.list({ state, limit: 1 })),
    );
    if (pages.every(({ jobs }) => jobs.length === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
