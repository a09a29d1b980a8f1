/** How far a fuzzer looks; the same seed makes the same cases, each of which stands for itself. */
export interface FuzzBudget {
  cases: number;
  seed: number;
}

/** Some seconds in the suite; `VORTEX_FUZZ_CASES` and `VORTEX_FUZZ_SEED` look further (docs/12-security.md). */
export function fuzzBudget(usualCases: number): FuzzBudget {
  return {
    cases: Number(process.env.VORTEX_FUZZ_CASES ?? usualCases),
    seed: Number(process.env.VORTEX_FUZZ_SEED ?? 1),
  };
}
