import { Pool } from 'undici';
import { answerable, far, near } from './floor-questions.ts';
import { startPrivateStack } from './private-stack.ts';

/**
 * Chooses the default relevance floor: the best cosine of questions that Vortex's documentation answers
 * against that of questions it cannot answer, asked through `POST /search` of a private stack. A question
 * refused by mistake is the worse error (past the floor, the model can still say that it does not know),
 * so a floor must let 95 % of the answerable ones through; `chosen` is the highest that does.
 */
export interface FloorReport {
  questions: { answerable: number; far: number; near: number };
  /** Best cosines, sorted. */
  scores: { answerable: number[]; far: number[]; near: number[] };
  chosen: FloorEffect;
  /** What the configured default does on the same questions. */
  configured: FloorEffect;
  bounds: { answered_rate_min: number; far_refused_rate_min: number };
  ok: boolean;
}

export interface FloorEffect {
  floor: number;
  /** Share of answerable questions that get past the floor. */
  answered_rate: number;
  /** Share refused of the questions from other walks of life, and of those from our own field. */
  far_refused_rate: number;
  near_refused_rate: number;
}

const bounds = { answered_rate_min: 0.95, far_refused_rate_min: 0.95 };

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
      body: JSON.stringify({ query, collection: 'vortex-docs', mode: 'dense', top_k: 1, cache: 'bypass' }),
    });
    const reply = (await body.json()) as { hits: { score: number }[] };
    return reply.hits[0]?.score ?? -1;
  };
  try {
    const ask = async (questions: readonly string[]) => {
      const found: number[] = [];
      for (const question of questions) found.push(await bestScore(question));
      return found.sort((a, b) => a - b);
    };
    const scores = { answerable: await ask(answerable), far: await ask(far), near: await ask(near) };
    const effect = (floor: number): FloorEffect => ({
      floor,
      answered_rate: shareOf(scores.answerable, (score) => score >= floor),
      far_refused_rate: shareOf(scores.far, (score) => score < floor),
      near_refused_rate: shareOf(scores.near, (score) => score < floor),
    });
    const candidates = Array.from({ length: 81 }, (_, step) => effect(step / 100));
    const chosen =
      candidates.filter((one) => one.answered_rate >= bounds.answered_rate_min).at(-1) ?? effect(0);
    const configured = effect(options.configuredFloor);
    return {
      questions: { answerable: answerable.length, far: far.length, near: near.length },
      scores,
      chosen,
      configured,
      bounds,
      ok:
        configured.answered_rate >= bounds.answered_rate_min &&
        configured.far_refused_rate >= bounds.far_refused_rate_min,
    };
  } finally {
    await pool.close();
    await stack.stop();
  }
}

function shareOf(scores: readonly number[], holds: (score: number) => boolean): number {
  return scores.filter(holds).length / scores.length;
}
