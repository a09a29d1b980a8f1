import { kindOf, residualStage } from '../measure/stage-table.ts';

/** Colours follow the stage; what it waits for in a list has its colour too, paler and hatched. */
const coloured = new Set(['encode', 'retrieve', 'rerank', 'generate']);

export function stageClass(stage: string): string {
  if (stage === residualStage) return 'st-rest';
  const base = stage.replace(/^(queue|retry)_/, '');
  const colour = coloured.has(base) ? `st-${base}` : kindOf(stage) === 'other' ? 'st-edge' : 'st-more';
  return kindOf(stage) === 'queue' ? `${colour} waits` : colour;
}

/** `queue_encode` → `waits for encode`. */
export function stageLabel(stage: string): string {
  const [, kind, base = stage] = /^(queue|retry)_(.+)$/.exec(stage) ?? [];
  if (kind === 'queue') return `waits for ${base}`;
  if (kind === 'retry') return `retries of ${base}`;
  if (stage === 'shared') return 'waits for the same question';
  return stage.replaceAll('_', ' ');
}
