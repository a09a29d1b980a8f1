import { createClient, type VortexClient } from '@vortex/client';
import type { SearchMode } from '@vortex/contracts';
import { catalogueModel } from '@vortex/embedding';
import { loadDataset, UnreadableDataset } from '../bench/dataset.ts';
import type { BenchQuestion } from '../bench/passages.ts';
import { startPrivateStack } from '../bench/private-stack.ts';
import { uploadCorpus, writeCorpus } from '../bench/upload-corpus.ts';
import { type Judgements, mean, ndcg, recall, reciprocalRank } from './ranking-metrics.ts';
import { readJudgements } from './read-judgements.ts';

/**
 * How well a labelled set of questions finds its documents, through the API of a private stack: the corpus is uploaded
 * into a collection whose chunks are as large as the encoder takes, so that a document is one chunk where it fits;
 * every judged question is searched in each mode; a document stands where its best chunk does.
 */
export interface EvalOptions {
  /** BEIR-format folder with judgements. */
  dataset: string;
  model: string;
  modes: readonly SearchMode[];
  modelsDir: string;
  onProgress?: (line: string) => void;
  /** Aborted: the stack is stopped and the signal's reason thrown. */
  signal?: AbortSignal;
}

export interface EvalReport {
  dataset: string;
  /** Questions with judgements. */
  queries: number;
  modes: Partial<Record<SearchMode, ModeScores>>;
}

export interface ModeScores {
  'ndcg@10': number;
  'recall@100': number;
  'mrr@10': number;
}

const collection = 'eval';
/** The most `POST /search` takes: a hundred documents are among them unless they have more than two chunks each. */
const topK = 200;
const searchesAtATime = 8;
const longestQuestion = 8000;

/** @throws UnreadableDataset */
export async function runEval(options: EvalOptions): Promise<EvalReport> {
  const { dataset, model, modes, modelsDir, signal, onProgress = () => {} } = options;
  const { name, documents: all, questions, emptyRows } = loadDataset(dataset);
  const judgements = readJudgements(dataset);
  const documents = all.filter(({ text }) => text.trim() !== '');
  const withoutText = emptyRows + all.length - documents.length;
  if (withoutText > 0) onProgress(`${withoutText} documents have no text and are left out`);
  const judged = questions.filter(({ id }) => judgements.has(id));
  if (judged.length === 0) throw new UnreadableDataset(`${dataset}: no question has a judgement`);
  if (documents.length === 0) throw new UnreadableDataset(`${dataset}: no document has text`);

  onProgress('starting a private stack');
  const stack = await startPrivateStack({
    modelsDir,
    withDocs: false,
    settings: [`embedding.model=${model}`],
  });
  const corpus = writeCorpus(documents);
  try {
    signal?.throwIfAborted();
    const client = createClient({ url: stack.url });
    const chunkSize = catalogueModel(model).maxTokens;
    await client.collections.create({ name: collection, chunk_size: chunkSize, chunk_overlap: 0 });
    onProgress(`uploading ${documents.length} documents`);
    const { chunks } = await uploadCorpus(client, corpus, collection, { ...(signal && { signal }) });
    signal?.throwIfAborted();
    const idOf = await externalIds(client);
    onProgress(
      `${documents.length} documents are ${chunks} chunks; ${judged.length} questions have judgements`,
    );

    const report: EvalReport = { dataset: name, queries: judged.length, modes: {} };
    for (const mode of modes) {
      onProgress(`searching, ${mode}`);
      const rankings = await rank(client, judged, { mode, idOf, signal });
      report.modes[mode] = scoresOf(rankings, judgements);
    }
    return report;
  } finally {
    corpus.remove();
    await stack.stop();
  }
}

/** The data set's name of each document, by ours. */
async function externalIds(client: VortexClient): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  let after: string | undefined;
  for (;;) {
    const page = await client.documents.list({
      collection,
      limit: 200,
      ...(after !== undefined && { after }),
    });
    for (const { id, external_id } of page.documents) names.set(id, external_id ?? id);
    if (page.next === null) return names;
    after = page.next;
  }
}

/** Document names by question, best first. */
async function rank(
  client: VortexClient,
  questions: readonly BenchQuestion[],
  about: { mode: SearchMode; idOf: ReadonlyMap<string, string>; signal: AbortSignal | undefined },
): Promise<Map<string, string[]>> {
  const { mode, idOf, signal } = about;
  const rankings = new Map<string, string[]>();
  const queue = questions.values();
  await Promise.all(
    Array.from({ length: searchesAtATime }, async () => {
      for (const { id, text } of queue) {
        signal?.throwIfAborted();
        const query = text.slice(0, longestQuestion);
        const { hits } = await client.search({ query, collection, mode, top_k: topK, cache: 'bypass' });
        const names = hits.map(({ document_id }) => idOf.get(document_id) ?? document_id);
        rankings.set(id, [...new Set(names)]);
      }
    }),
  );
  return rankings;
}

function scoresOf(
  rankings: ReadonlyMap<string, readonly string[]>,
  judgements: ReadonlyMap<string, Judgements>,
): ModeScores {
  const average = (measure: typeof ndcg, depth: number) =>
    mean([...rankings].map(([id, ranking]) => measure(ranking, judgements.get(id) ?? new Map(), depth)));
  return {
    'ndcg@10': average(ndcg, 10),
    'recall@100': average(recall, 100),
    'mrr@10': average(reciprocalRank, 10),
  };
}
