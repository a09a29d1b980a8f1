import type { Summary } from '../summary-schema.ts';

/** The step that a search's figures are of: the confirmation of what it found. Null: they are of the whole run. */
export function judgedStepOf({ search, steps }: Pick<Summary, 'search' | 'steps'>): number | null {
  if (search?.confirmed !== true) return null;
  return steps.findLast(({ purpose, passed }) => purpose === 'confirm' && passed)?.step ?? null;
}
