import type { Chain } from './chain.ts';
import type { ChaosStack } from './stack.ts';

/**
 * A scenario: a fault with a fixed name, what must hold while and after it strikes, and the part of all jobs that
 * go through it. It is told by checks (each true or false, with what was seen) and by figures.
 */
export type Family = 'processes' | 'network' | 'redis' | 'traffic' | 'code';

/** What the jobs go through: the light chain of real stages without models, a whole instance, or test drivers. */
export type Ground = 'chain' | 'stack' | 'drivers';

export interface Check {
  what: string;
  ok: boolean;
  /** In words or numbers; what a person would want to know when it is red. */
  seen: string;
}

export interface Figures {
  jobs: number;
  lost: number;
  /** Stage runs begun, and those begun again; null where nobody counts them. */
  runs: number | null;
  repeated: number | null;
  /** From a SIGKILL to the next beginning of what the victim had in hand. */
  redeliveries_ms: number[];
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  /** Further figures of a scenario's own. */
  own: Record<string, number | string>;
}

export interface Outcome {
  checks: Check[];
  figures: Figures;
}

export interface ScenarioContext {
  /** Of the jobs asked for in all, this scenario's own. */
  jobs: number;
  /** Of the whole run: how thorough it is to be. */
  totalJobs: number;
  redisBinary?: string;
  modelsDir: string;
  note: (line: string) => void;
}

export interface Scenario {
  name: string;
  family: Family;
  ground: Ground;
  /** One sentence: what must hold. */
  holds: string;
  /** Parts of all jobs, relative to the other scenarios'; 0: its load is made of time or of seeds. */
  share: number;
  /** With fewer its fault would meet too little to prove anything; a smaller part of all jobs is raised to it. */
  leastJobs?: number;
  run(context: ScenarioContext, grounds: Grounds): Promise<Outcome>;
}

/** Grounds are shared by scenarios: each begins by proving that what it was given is clean. */
export interface Grounds {
  chain(): Promise<Chain>;
  stack(): Promise<ChaosStack>;
  /** What is there has been left in disorder; the next one who asks gets a new one. */
  discard(ground: Ground): Promise<void>;
}

export function check(what: string, ok: boolean, seen: string | number): Check {
  return { what, ok, seen: String(seen) };
}

/**
 * Rounded up, so that all of them together are no fewer than asked for, and never below what the scenario needs.
 * Without a share: as many as time allows.
 */
export function jobsOf(scenario: Scenario, scenarios: readonly Scenario[], all: number): number {
  return Math.max(shareOf(scenario, scenarios, all), scenario.leastJobs ?? 0);
}

/** What a scenario would get of the jobs asked for, whether or not it is enough. */
export function shareOf({ share }: Scenario, scenarios: readonly Scenario[], all: number): number {
  const parts = scenarios.reduce((sum, one) => sum + one.share, 0);
  return Math.ceil((all * share) / parts);
}
