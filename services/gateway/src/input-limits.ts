import { filterSize, type MetadataFilter } from '@vortex/contracts';
import type { GatewayDependencies } from './dependencies.ts';
import { gatewayProblem, type ProblemField } from './problem.ts';

/**
 * How much of everything a request may ask for. The contracts' own bounds are the most that any installation takes;
 * the settings named here say less where less is wanted.
 */
export type InputLimits = Pick<
  GatewayDependencies['settings'],
  | 'max_query_characters'
  | 'max_top_k'
  | 'max_filter_depth'
  | 'max_filter_conditions'
  | 'max_metadata_characters'
  | 'max_batch_ids'
>;

export interface LimitedInput {
  query?: string | undefined;
  top_k?: number | undefined;
  filter?: MetadataFilter | undefined;
  metadata?: Record<string, unknown> | undefined;
  ids?: readonly string[] | undefined;
}

/** @throws HttpProblem 422 that names every field that is too large, and its setting. */
export function assertWithinLimits(limits: InputLimits, input: LimitedInput): void {
  const errors: ProblemField[] = [];
  const atMost = (pointer: string, value: number, setting: keyof InputLimits, unit: string) => {
    const most = limits[setting];
    if (value > most)
      errors.push({ pointer, message: `must be at most ${most}${unit} (gateway.${setting})` });
  };
  const { query, top_k, filter, metadata, ids } = input;
  if (query !== undefined) atMost('/query', query.length, 'max_query_characters', ' characters');
  if (top_k !== undefined) atMost('/top_k', top_k, 'max_top_k', '');
  if (filter !== undefined) {
    const { depth, conditions } = filterSize(filter);
    atMost('/filter', depth, 'max_filter_depth', ' levels');
    atMost('/filter', conditions, 'max_filter_conditions', ' conditions');
  }
  if (metadata !== undefined) {
    const { length } = JSON.stringify(metadata);
    atMost('/metadata', length, 'max_metadata_characters', ' characters of JSON');
  }
  if (ids !== undefined) atMost('/ids', ids.length, 'max_batch_ids', ' ids');
  if (errors.length === 0) return;
  throw gatewayProblem('validation', {
    detail: 'The request is larger than this installation takes; errors says where.',
    errors,
  });
}
