import { cpus } from 'node:os';
import { createClient } from '@vortex/client';
import type { SearchMode } from '@vortex/contracts';
import { loadDataset } from './dataset.ts';
import { loadTurn } from './load-turn.ts';
import { percentile } from './percentile.ts';
import { type PrivateStack, startPrivateStack } from './private-stack.ts';
import { uploadCorpus, writeCorpus } from './upload-corpus.ts';

/**
 * What `POST /search` takes at 16 in flight, by vectors, by words and by both: a private stack with an uploaded
 * corpus, a closed loop, the modes in turns, so that a drift of the machine meets all of them. No bound but that nothing
 * fails: the encoder decides two of the three, and `bench query` holds that.
 */
export interface SearchBenchOptions {
  /** BEIR-format folder; 1,400 generated passages without. */
  dataset?: string | undefined;
  modelsDir: string;
  /** Seconds of each mode, in each round. */
  seconds?: number;
  rounds?: number;
  onProgress?: (line: string) => void;
}

export interface SearchLevel {
  searches_per_second: number;
  p50_ms: number;
  p99_ms: number;
  errors: number;
  /** CPU milliseconds per search, by process. */
  cpu_ms_per_search: Record<string, number>;
}

export interface SearchBenchReport {
  dataset: string;
  documents: number;
  chunks: number;
  in_flight: number;
  machine: { cpus: number; model: string };
  rounds: Record<SearchMode, SearchLevel>[];
  /** Medians over the rounds. */
  modes: Record<SearchMode, Pick<SearchLevel, 'searches_per_second' | 'p50_ms' | 'p99_ms'>>;
  errors: number;
  ok: boolean;
}

const inFlight = 16;
const modes = ['dense', 'sparse', 'hybrid'] as const;
const collection = 'bench';

export async function runSearchBench(options: SearchBenchOptions): Promise<SearchBenchReport> {
  const { modelsDir, seconds = 10, rounds = 3, onProgress = () => {} } = options;
  const { name, documents, questions } = loadDataset(options.dataset);
  const texts = questions.map(({ text }) => text);
  onProgress('starting a private stack');
  const stack = await startPrivateStack({ modelsDir, withDocs: false });
  const corpus = writeCorpus(documents);
  try {
    onProgress(`uploading ${documents.length} documents`);
    const { chunks } = await uploadCorpus(createClient({ url: stack.url }), corpus, collection);
    const report: Record<SearchMode, SearchLevel>[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const levels: [SearchMode, SearchLevel][] = [];
      for (const mode of modes) {
        onProgress(`round ${round} of ${rounds}: ${mode}`);
        levels.push([mode, await searchUnderLoad({ stack, texts, mode, seconds })]);
      }
      report.push(Object.fromEntries(levels) as Record<SearchMode, SearchLevel>);
    }
    const errors = report.flatMap((round) => modes.map((mode) => round[mode].errors));
    const total = errors.reduce((sum, count) => sum + count, 0);
    return {
      dataset: name,
      documents: documents.length,
      chunks,
      in_flight: inFlight,
      machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
      rounds: report,
      modes: {
        dense: medians(report, 'dense'),
        sparse: medians(report, 'sparse'),
        hybrid: medians(report, 'hybrid'),
      },
      errors: total,
      ok: total === 0,
    };
  } finally {
    corpus.remove();
    await stack.stop();
  }
}

async function searchUnderLoad(options: {
  stack: PrivateStack;
  texts: readonly string[];
  mode: SearchMode;
  seconds: number;
}): Promise<SearchLevel> {
  const { stack, texts, mode, seconds } = options;
  const loop = { collection, texts, inFlight, path: '/search', request: { mode } } as const;
  const turn = await loadTurn(stack, loop, seconds);
  return {
    searches_per_second: turn.perSecond,
    p50_ms: percentile(turn.latencies, 50),
    p99_ms: percentile(turn.latencies, 99),
    errors: turn.errors,
    cpu_ms_per_search: turn.cpuMs,
  };
}

function medians(rounds: readonly Record<SearchMode, SearchLevel>[], mode: SearchMode) {
  const median = (value: (level: SearchLevel) => number) =>
    percentile(
      rounds.map((round) => value(round[mode])),
      50,
    );
  return {
    searches_per_second: median((level) => level.searches_per_second),
    p50_ms: median((level) => level.p50_ms),
    p99_ms: median((level) => level.p99_ms),
  };
}
