import { availableParallelism, cpus } from 'node:os';
import { createClient, type VortexClient } from '@vortex/client';
import { defaultModel } from '@vortex/embedding';
import { startBareSessions } from './bare-encoder.ts';
import { loadDataset } from './dataset.ts';
import { percentile } from './percentile.ts';
import { measurePlainEncoder } from './plain-encoder.ts';
import { type PrivateStack, startPrivateStack } from './private-stack.ts';
import { cpuMsByProcess, cpuMsPerAnswer, processesOf } from './process-cpu.ts';
import { measureQuestions, type QuestionRound } from './questions-under-load.ts';
import { type MemoryPeak, watchMemory } from './resident-memory.ts';
import { type CorpusFiles, embeddedTexts, uploadCorpus, writeCorpus } from './upload-corpus.ts';

/**
 * What the way from an upload to a document that can be found costs beside its encoder, and what questions
 * feel of it. Private stacks, fresh data folders.
 *
 * - chunks/s from the first 202 to the last document that can be found, by the raw encoder's chunks/s on the same
 *   chunks: a transformers.js pipeline in a process of its own, one chunk after another, as a program would call it
 *   and as `bench query` counts the bare encoder (plain-encoder.ts). They share the machine's drift: measured before
 *   and after each round, the ratio is taken within the round.
 * - the same by bare ONNX Runtime sessions on as many cores as the encoder service takes, token ids made beforehand,
 *   output thrown away (bare-encoder.ts), without a bound: everything around the encoder runs on the same cores, so
 *   this one says what share of the machine is left for embedding.
 * - peak resident memory while that runs.
 * - P99 of questions at 4 in flight while documents are read, by P99 of the idle stack: with a model that waits
 *   250 ms (bounded), and with one that answers at once (reported). Idle and loaded take turns.
 *
 * Both are measured in the same rounds, on the same stack; the questions in questions-under-load.ts.
 */
export interface IngestBenchOptions {
  /** BEIR-format folder; 1,400 generated passages without. */
  dataset?: string | undefined;
  modelsDir: string;
  rounds?: number;
  /** Of questions, idle and loaded, in each round. */
  seconds?: number;
  onProgress?: (line: string) => void;
}

export interface ThroughputRound {
  raw_before_per_second: number;
  raw_after_per_second: number;
  bare_sessions_before_per_second: number;
  bare_sessions_after_per_second: number;
  chunks_per_second: number;
  seconds: number;
  ratio: number;
  ratio_to_bare_sessions: number;
  memory: MemoryPeak;
  /** CPU milliseconds of each process; without the children that read, and without this bench. */
  cpu_ms_per_document: Record<string, number>;
}

export interface IngestBenchReport {
  dataset: string;
  documents: number;
  chunks: number;
  machine: { cpus: number; model: string };
  throughput: ThroughputRound[];
  /** Medians over the rounds. */
  ratio_to_raw_encoder: number;
  ratio_to_bare_sessions: number;
  chunks_per_second: number;
  /** The highest of all rounds. */
  peak_memory: MemoryPeak;
  questions: { llm_250_ms: QuestionRound[]; llm_at_once: QuestionRound[] };
  p99_ratio_llm_250_ms: number;
  /** Without a bound: with no model to wait for, a question is mostly the encoder that it shares with documents. */
  p99_ratio_llm_at_once: number;
  errors: number;
  bounds: { ratio_to_raw_encoder_min: number; p99_ratio_llm_250_ms_max: number };
  ok: boolean;
}

const bounds = { ratio_to_raw_encoder_min: 0.85, p99_ratio_llm_250_ms_max: 1.5 };
const rawSeconds = 4;
/** Chunks the raw encoder goes round in; more would only be more tokenising. */
const mostTexts = 1000;

export async function runIngestBench(options: IngestBenchOptions): Promise<IngestBenchReport> {
  const { modelsDir, rounds = 3, seconds = 20, onProgress = () => {} } = options;
  const { name, documents, questions } = loadDataset(options.dataset);
  const texts = questions.map(({ text }) => text);
  const corpus = writeCorpus(documents);
  try {
    const throughput: ThroughputRound[] = [];
    let chunks = 0;
    const measured = async (latencyMs: number, withThroughput: boolean): Promise<QuestionRound[]> => {
      onProgress(`starting a private stack; its model waits ${latencyMs} ms`);
      const settings = [`mock_llm.latency_ms=${latencyMs}`];
      const stack = await startPrivateStack({ modelsDir, withDocs: false, settings });
      const client = createClient({ url: stack.url });
      try {
        onProgress(`reading ${documents.length} documents to ask about`);
        chunks = (await uploadCorpus(client, corpus, 'bench')).chunks;
        const embedded = withThroughput ? await embeddedTexts(client, 'bench', mostTexts) : [];
        const all: QuestionRound[] = [];
        for (let round = 1; round <= rounds; round += 1) {
          const say = (what: string) => onProgress(`round ${round} of ${rounds}: ${what}`);
          if (withThroughput) {
            throughput.push(
              await measureThroughput({ stack, client, corpus, embedded, modelsDir, round, say }),
            );
          }
          all.push(await measureQuestions({ stack, client, corpus, texts, seconds, round, say }));
        }
        return all;
      } finally {
        await client.close();
        await stack.stop();
      }
    };
    const slow = await measured(250, true);
    const atOnce = await measured(0, false);

    const median = (values: readonly number[]) => percentile(values, 50);
    const ratio = median(throughput.map((round) => round.ratio));
    const p99Ratio = median(slow.map((round) => round.ratio));
    const errors = [...slow, ...atOnce].reduce(
      (sum, { idle, loaded }) => sum + idle.errors + loaded.errors,
      0,
    );
    return {
      dataset: name,
      documents: documents.length,
      chunks,
      machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
      throughput,
      ratio_to_raw_encoder: ratio,
      ratio_to_bare_sessions: median(throughput.map((round) => round.ratio_to_bare_sessions)),
      chunks_per_second: median(throughput.map((round) => round.chunks_per_second)),
      peak_memory: {
        stack_bytes: Math.max(...throughput.map(({ memory }) => memory.stack_bytes)),
        ingest_bytes: Math.max(...throughput.map(({ memory }) => memory.ingest_bytes)),
        samples: throughput.reduce((sum, { memory }) => sum + memory.samples, 0),
      },
      questions: { llm_250_ms: slow, llm_at_once: atOnce },
      p99_ratio_llm_250_ms: p99Ratio,
      p99_ratio_llm_at_once: median(atOnce.map((round) => round.ratio)),
      errors,
      bounds,
      // Written so that a figure that is none (NaN) misses its bound.
      ok:
        errors === 0 &&
        ratio >= bounds.ratio_to_raw_encoder_min &&
        p99Ratio <= bounds.p99_ratio_llm_250_ms_max,
    };
  } finally {
    corpus.remove();
  }
}

async function measureThroughput(run: {
  stack: PrivateStack;
  client: VortexClient;
  corpus: CorpusFiles;
  embedded: readonly string[];
  modelsDir: string;
  round: number;
  say: (what: string) => void;
}): Promise<ThroughputRound> {
  const { stack, client, corpus, embedded, modelsDir, round, say } = run;
  say('the raw encoder');
  const before = await encodersPerSecond(modelsDir, embedded);
  say('documents in');
  const memory = await watchMemory(stack);
  const processes = await processesOf(stack);
  const cpuBefore = await cpuMsByProcess(processes);
  const { documents, chunks_per_second, seconds } = await uploadCorpus(
    client,
    corpus,
    `round-${round}`,
  ).finally(() => memory.stop());
  const cpuAfter = await cpuMsByProcess(processes);
  say('the raw encoder');
  const after = await encodersPerSecond(modelsDir, embedded);
  await client.collections.delete(`round-${round}`);
  return {
    raw_before_per_second: before.raw,
    raw_after_per_second: after.raw,
    bare_sessions_before_per_second: before.bareSessions,
    bare_sessions_after_per_second: after.bareSessions,
    chunks_per_second,
    seconds,
    ratio: (2 * chunks_per_second) / (before.raw + after.raw),
    ratio_to_bare_sessions: (2 * chunks_per_second) / (before.bareSessions + after.bareSessions),
    memory: memory.stop(),
    cpu_ms_per_document: cpuMsPerAnswer(cpuBefore, cpuAfter, documents),
  };
}

async function encodersPerSecond(
  modelsDir: string,
  texts: readonly string[],
): Promise<{ raw: number; bareSessions: number }> {
  const { queriesPerSecond: raw } = await measurePlainEncoder({
    ...{ modelsDir, model: defaultModel, texts, seconds: rawSeconds },
  });
  return { raw, bareSessions: await bareSessionsPerSecond(modelsDir, texts) };
}

/** The encoder service takes two cores at most, one per session (measured at its start; never otherwise so far). */
async function bareSessionsPerSecond(modelsDir: string, texts: readonly string[]): Promise<number> {
  const threads = Math.min(2, availableParallelism());
  const sessions = await startBareSessions({ modelsDir, threads, intraOpThreads: 1, sets: [texts] });
  try {
    return await sessions.textsPerSecond(0, rawSeconds * 1000);
  } finally {
    await sessions.close();
  }
}
