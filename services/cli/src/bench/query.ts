import { cpus } from 'node:os';
import { defaultModel } from '@vortex/embedding';
import { Pool } from 'undici';
import { measureBareEncoder } from './bare-encoder.ts';
import { loadDataset } from './dataset.ts';
import { loadTurn } from './load-turn.ts';
import { percentile } from './percentile.ts';
import { measurePlainEncoder } from './plain-encoder.ts';
import { type PrivateStack, startPrivateStack } from './private-stack.ts';

/**
 * What the whole stack costs beside its encoder: a private `./vortex up` with a language model that
 * answers at once, no cache, asked at 1, 16 and 50 in flight. The yardstick is the bare encoder on the
 * same questions in the same run (see plain-encoder.ts), measured before and after each round, because a
 * shared machine's speed drifts by more than what is to be shown. The best bare sessions, with token ids
 * made beforehand on every core, are reported beside it as the machine's limit.
 */
export interface QueryBenchOptions {
  /** BEIR-format folder; 1,400 generated passages without. */
  dataset?: string | undefined;
  modelsDir: string;
  /** Seconds of each load level, in each round. */
  seconds?: number;
  rounds?: number;
  onProgress?: (line: string) => void;
}

export interface LoadLevel {
  in_flight: number;
  queries_per_second: number;
  p50_ms: number;
  p99_ms: number;
  errors: number;
  /** CPU milliseconds per query, by process. */
  cpu_ms_per_query: Record<string, number>;
}

export interface QueryBenchReport {
  dataset: string;
  documents: number;
  machine: { cpus: number; model: string };
  rounds: {
    bare_before_per_second: number;
    bare_after_per_second: number;
    best_sessions_per_second: number;
    levels: LoadLevel[];
    ratio_to_encoder: number;
    ratio_to_best_sessions: number;
  }[];
  /** Median over the rounds of queries/s at 50 in flight by the mean bare rate around that round. */
  ratio_to_encoder: number;
  /** The same against the best bare sessions on all cores, which no stack around an encoder can reach. */
  ratio_to_best_sessions: number;
  /** p50 at 1 in flight less a bare session's own time for one question. */
  p50_over_encoder_ms: number;
  idle_rss_bytes: number;
  bounds: { ratio_to_encoder_min: number; p50_over_encoder_ms_max: number; idle_rss_bytes_max: number };
  ok: boolean;
}

const bounds = {
  ratio_to_encoder_min: 0.45,
  p50_over_encoder_ms_max: 15,
  idle_rss_bytes_max: 1.5 * 1024 ** 3,
};
export async function runQueryBench(options: QueryBenchOptions): Promise<QueryBenchReport> {
  const { modelsDir, seconds = 12, rounds = 3, onProgress = () => {} } = options;
  const { name, documents, questions } = loadDataset(options.dataset);
  const texts = questions.map(({ text }) => text);
  onProgress('starting a private stack');
  const stack = await startPrivateStack({ modelsDir, withDocs: false });
  try {
    onProgress(`ingesting ${documents.length} documents`);
    await ingestAll(stack.url, documents, onProgress);
    const idleRss = await idleRssBytes(stack);
    // Measured as an instance is run that others may reach: with a key.
    const key = await stack.makeKey();

    const report: QueryBenchReport['rounds'] = [];
    let encoderMs = Number.POSITIVE_INFINITY;
    const yardsticks = async () => {
      const plain = await measurePlainEncoder({ modelsDir, model: defaultModel, texts, seconds: 5 });
      const best = await measureBareEncoder({ modelsDir, texts, seconds: 3 });
      // The strict one: a session alone, without tokenizer and pooling.
      encoderMs = Math.min(encoderMs, best.oneAtATimeMs);
      return { plain: plain.queriesPerSecond, best: best.queriesPerSecond };
    };
    for (let round = 1; round <= rounds; round++) {
      onProgress(`round ${round} of ${rounds}: the bare encoder`);
      const before = await yardsticks();
      const levels: LoadLevel[] = [];
      for (const inFlight of [1, 16, 50]) {
        onProgress(`round ${round} of ${rounds}: ${inFlight} in flight`);
        levels.push(await askUnderLoad({ stack, key, texts, inFlight, seconds }));
      }
      const after = await yardsticks();
      const rate = levels.at(-1)?.queries_per_second ?? 0;
      report.push({
        bare_before_per_second: before.plain,
        bare_after_per_second: after.plain,
        best_sessions_per_second: (before.best + after.best) / 2,
        levels,
        ratio_to_encoder: (2 * rate) / (before.plain + after.plain),
        ratio_to_best_sessions: (2 * rate) / (before.best + after.best),
      });
    }
    const ratio = percentile(
      report.map((round) => round.ratio_to_encoder),
      50,
    );
    const p50One = percentile(
      report.map((round) => round.levels[0]?.p50_ms ?? Number.POSITIVE_INFINITY),
      50,
    );
    const errors = report.flatMap(({ levels }) => levels).reduce((sum, level) => sum + level.errors, 0);
    const over = p50One - encoderMs;
    return {
      dataset: name,
      documents: documents.length,
      machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
      rounds: report,
      ratio_to_encoder: ratio,
      ratio_to_best_sessions: percentile(
        report.map((round) => round.ratio_to_best_sessions),
        50,
      ),
      p50_over_encoder_ms: over,
      idle_rss_bytes: idleRss,
      bounds,
      ok:
        errors === 0 &&
        ratio >= bounds.ratio_to_encoder_min &&
        over <= bounds.p50_over_encoder_ms_max &&
        idleRss <= bounds.idle_rss_bytes_max,
    };
  } finally {
    await stack.stop();
  }
}

async function ingestAll(
  url: string,
  documents: { id: string; title: string; text: string }[],
  onProgress: (line: string) => void,
): Promise<void> {
  const pool = new Pool(url, { connections: 8 });
  const waiting: string[] = [];
  for (const { id, title, text } of documents) {
    const { statusCode, body } = await pool.request({
      path: '/ingest',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        user_id: 'bench',
        document_id: id,
        collection: 'bench',
        content: text || title,
        ...(title && { title }),
      }),
    });
    const reply = (await body.json()) as { job_id: string };
    if (statusCode !== 202) throw new Error(`document ${id} was refused: ${JSON.stringify(reply)}`);
    waiting.push(reply.job_id);
  }
  for (const [index, id] of waiting.entries()) {
    for (;;) {
      const { body } = await pool.request({ path: `/api/jobs/${id}`, method: 'GET' });
      const job = (await body.json()) as { status: string; error: string | null };
      if (job.status === 'completed') break;
      if (job.status === 'failed') throw new Error(`a document was not stored: ${job.error}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    if ((index + 1) % 200 === 0) onProgress(`ingested ${index + 1} of ${waiting.length}`);
  }
  await pool.close();
}

/** Memory of all services once they have been left alone for a while. */
async function idleRssBytes(stack: PrivateStack): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  return (await stack.status()).services.reduce((sum, { rss_bytes }) => sum + (rss_bytes ?? 0), 0);
}

async function askUnderLoad(options: {
  stack: PrivateStack;
  key: string;
  texts: string[];
  inFlight: number;
  seconds: number;
}): Promise<LoadLevel> {
  const { stack, seconds, inFlight, ...asked } = options;
  const turn = await loadTurn(stack, { ...asked, inFlight, collection: 'bench' }, seconds);
  return {
    in_flight: inFlight,
    queries_per_second: turn.perSecond,
    p50_ms: percentile(turn.latencies, 50),
    p99_ms: percentile(turn.latencies, 99),
    errors: turn.errors,
    cpu_ms_per_query: turn.cpuMs,
  };
}
