import { Pool } from 'undici';
import { answerable, unanswerable } from './floor-questions.ts';
import { startPrivateStack } from './private-stack.ts';

/**
 * Chooses the default relevance floor: the best cosine of questions that Vortex's documentation answers
 * against that of questions it cannot answer, asked through `POST /search` of a private stack.
 */
export interface FloorReport {
  answerable: number[];
  unanswerable: number[];
  /** The floor with the best mean of both rates, and what it does. */
  best: FloorEffect;
  /** What the configured default does on the same questions. */
  configured: FloorEffect;
}

export interface FloorEffect {
  floor: number;
  /** Share of answerable questions that get past the floor, and of unanswerable ones that are refused. */
  answered_rate: number;
  refused_rate: number;
}

export async function runFloorBench(options: {
  modelsDir: string;
  configuredFloor: number;
}): Promise<FloorReport> {
  const stack = await startPrivateStack({ modelsDir: options.modelsDir, withDocs: true });
  const pool = new Pool(stack.url);
  const bestScore = async (query: string): Promise<number> => {
    const { body } = await pool.request({
      path: '/search',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, collection: 'vortex-docs', top_k: 1 }),
    });
    const reply = (await body.json()) as { hits: { score: number }[] };
    return reply.hits[0]?.score ?? -1;
  };
  try {
    const scores = { answerable: [] as number[], unanswerable: [] as number[] };
    for (const question of answerable) scores.answerable.push(await bestScore(question));
    for (const question of unanswerable) scores.unanswerable.push(await bestScore(question));
    const effect = (floor: number): FloorEffect => ({
      floor,
      answered_rate: shareOf(scores.answerable, (score) => score >= floor),
      refused_rate: shareOf(scores.unanswerable, (score) => score < floor),
    });
    const candidates = Array.from({ length: 81 }, (_, step) => effect(Math.round(step) / 100));
    const best = candidates.reduce((winner, candidate) =>
      candidate.answered_rate + candidate.refused_rate > winner.answered_rate + winner.refused_rate
        ? candidate
        : winner,
    );
    return { ...scores, best, configured: effect(options.configuredFloor) };
  } finally {
    await pool.close();
    await stack.stop();
  }
}

function shareOf(scores: readonly number[], holds: (score: number) => boolean): number {
  return scores.filter(holds).length / scores.length;
}
