/** What workers of the tests are set to: small chunks, small groups, no models. */
export const groupSize = 4;
export const benchModel = { fingerprint: 'tiny/2/test', dimension: 2, maxTokens: 64 };
export const benchSettings = {
  chunk_size: 32,
  chunk_overlap: 4,
  chunking_strategy: 'structure',
  group_size: groupSize,
  groups_in_flight: 2,
  slots: 4,
  sweep_ms: 60_000,
  job_history_days: 30,
} as const;

/** Three sentences are short, forty are not. */
export const benchShortBytes = 1000;
