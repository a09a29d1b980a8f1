import { availableParallelism, cpus } from 'node:os';
import { createThreadEmbedder, defaultModel, type Embedder, ensureModel } from '@vortex/embedding';
import { type BareSessions, startBareSessions } from './bare-encoder.ts';
import { makePassages } from './passages.ts';
import { percentile } from './percentile.ts';

export { measureBareEncoder } from './bare-encoder.ts';

/**
 * What our encoder path (tokenizer, lane queue, threads, pooling, vectors handed back) leaves of what ONNX
 * Runtime can do. Ours and three bare configurations are loaded together and take turns on the same texts;
 * each round's ratio is taken within the round, because a shared machine's speed drifts by more than the
 * path costs. The bare sessions get finished token ids and their output is thrown away.
 */
export interface EncoderBenchOptions {
  modelsDir: string;
  /** A quarter of the time; for trying it out. */
  quick?: boolean;
  onProgress?: (line: string) => void;
}

export interface EncoderReport {
  model: string;
  machine: { cpus: number; model: string };
  texts: { queries: number; query_tokens_mean: number; passages: number; passage_tokens_mean: number };
  ours: { threads: number; queries_per_second: number; passages_per_second: number };
  /** The best configuration of each kind of text counts. */
  bare: {
    queries_per_second: number;
    queries_configuration: string;
    passages_per_second: number;
    passages_configuration: string;
    configurations: Record<string, { queries_per_second: number; passages_per_second: number }>;
  };
  ratios: { queries: number; passages: number };
  /** The lower of the two. */
  ratio: number;
  /** Agreement of our vectors with the bare session's, mean over all texts. */
  cosine: number;
  cosine_min: number;
  bounds: { ratio_min: number; cosine_min: number };
  ok: boolean;
}

const bounds = { ratio_min: 0.9, cosine_min: 0.999 };
const kinds = [
  { name: 'queries', set: 0, inFlight: 16, priority: 'interactive', kind: 'query' },
  { name: 'passages', set: 1, inFlight: 8, priority: 'low', kind: 'passage' },
] as const;
type Kind = (typeof kinds)[number];

export async function runEncoderBench(options: EncoderBenchOptions): Promise<EncoderReport> {
  const { modelsDir, quick = false, onProgress = () => {} } = options;
  const { documents, questions } = makePassages(96);
  const sets = [questions.map(({ text }) => text), documents.map(({ text }) => text)] as const;
  const cores = Math.min(2, availableParallelism());
  // Many short turns rather than a few long ones: a neighbour's burst then falls on all alike.
  const turnMs = quick ? 250 : 400;
  const rounds = quick ? 6 : 16;

  const files = await ensureModel({ model: defaultModel, modelsDir });
  const embedder = await createThreadEmbedder({ files, threads: cores });
  const bare: BareSessions[] = [];
  try {
    for (const [threads, intraOpThreads] of configurations(cores)) {
      bare.push(await startBareSessions({ modelsDir, threads, intraOpThreads, sets }));
    }
    const rates = Object.fromEntries(kinds.map(({ name }) => [name, [] as number[][]]));
    for (let round = 0; round < rounds; round += 1) {
      onProgress(`round ${round + 1} of ${rounds}`);
      for (const kind of kinds) {
        const turns = [
          () => ourTextsPerSecond(embedder, sets[kind.set], kind, turnMs),
          ...bare.map((sessions) => () => sessions.textsPerSecond(kind.set, turnMs)),
        ];
        const row = turns.map(() => Number.NaN);
        for (let turn = 0; turn < turns.length; turn += 1) {
          // Who follows whom changes with the round: what heats or fills a cache is shared out.
          const column = (turn + round) % turns.length;
          row[column] = (await turns[column]?.()) ?? Number.NaN;
        }
        rates[kind.name]?.push(row);
      }
    }
    const cosines = await agreement(embedder, bare[0], sets);
    const queries = summarise(rates.queries ?? [], bare);
    const passages = summarise(rates.passages ?? [], bare);
    const ratio = Math.min(queries.ratio, passages.ratio);
    const cosine = cosines.reduce((sum, value) => sum + value.cosine, 0) / cosines.length;
    const cosineMin = Math.min(...cosines.map((value) => value.cosine));
    const tokensMean = (set: number) => {
      const counts = cosines.filter((value) => value.set === set).map((value) => value.tokens);
      return counts.reduce((sum, count) => sum + count, 0) / counts.length;
    };
    return {
      model: files.fingerprint,
      machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
      texts: {
        queries: sets[0].length,
        query_tokens_mean: tokensMean(0),
        passages: sets[1].length,
        passage_tokens_mean: tokensMean(1),
      },
      ours: { threads: cores, queries_per_second: queries.ours, passages_per_second: passages.ours },
      bare: {
        queries_per_second: queries.best.rate,
        queries_configuration: queries.best.name,
        passages_per_second: passages.best.rate,
        passages_configuration: passages.best.name,
        configurations: Object.fromEntries(
          bare.map(({ name }, index) => [
            name,
            {
              queries_per_second: queries.configurations[index] ?? Number.NaN,
              passages_per_second: passages.configurations[index] ?? Number.NaN,
            },
          ]),
        ),
      },
      ratios: { queries: queries.ratio, passages: passages.ratio },
      ratio,
      cosine,
      cosine_min: cosineMin,
      bounds,
      ok: ratio >= bounds.ratio_min && cosine >= bounds.cosine_min,
    };
  } finally {
    await Promise.all([embedder.close(), ...bare.map((sessions) => sessions.close())]);
  }
}

/** Sessions × cores of each: everything that uses up to `cores` cores. */
function configurations(cores: number): [threads: number, intraOpThreads: number][] {
  return cores === 1
    ? [[1, 1]]
    : [
        [1, 1],
        [1, cores],
        [cores, 1],
      ];
}

async function ourTextsPerSecond(
  embedder: Embedder,
  texts: readonly string[],
  { inFlight, priority, kind }: Kind,
  ms: number,
): Promise<number> {
  const startedAt = performance.now();
  let asked = 0;
  let answered = 0;
  const ask = async () => {
    while (performance.now() - startedAt < ms) {
      const text = texts[asked % texts.length] ?? '';
      asked += 1;
      await embedder.embed([text], { priority, kind });
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, ask));
  return (answered * 1000) / (performance.now() - startedAt);
}

/** Columns of a row: ours, then each bare configuration. */
function summarise(rows: readonly number[][], bare: readonly BareSessions[]) {
  const median = (column: number) =>
    percentile(
      rows.map((row) => row[column] ?? Number.NaN),
      50,
    );
  const medians = bare.map((_sessions, index) => median(index + 1));
  const bestIndex = medians.indexOf(Math.max(...medians));
  return {
    ours: median(0),
    configurations: medians,
    best: { name: bare[bestIndex]?.name ?? 'none', rate: medians[bestIndex] ?? Number.NaN },
    ratio: percentile(
      rows.map((row) => (row[0] ?? Number.NaN) / (row[bestIndex + 1] ?? Number.NaN)),
      50,
    ),
  };
}

async function agreement(
  embedder: Embedder,
  bare: BareSessions | undefined,
  sets: readonly (readonly string[])[],
): Promise<{ set: number; cosine: number; tokens: number }[]> {
  const all: { set: number; cosine: number; tokens: number }[] = [];
  for (const { set, priority, kind } of kinds) {
    const ours = await embedder.embed(sets[set] ?? [], { priority, kind });
    const theirs = (await bare?.vectors(set)) ?? [];
    for (const [index, { vector, tokens }] of ours.entries()) {
      const other = theirs[index];
      all.push({ set, tokens, cosine: other === undefined ? Number.NaN : cosineOf(vector, other) });
    }
  }
  return all;
}

function cosineOf(unit: Float32Array, other: Float32Array): number {
  let dot = 0;
  let squares = 0;
  for (const [index, value] of other.entries()) {
    dot += value * (unit[index] ?? Number.NaN);
    squares += value * value;
  }
  return dot / Math.sqrt(squares);
}
