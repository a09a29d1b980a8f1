import { setTimeout as delay } from 'node:timers/promises';
import { type DeadLettersRedriven, type RedriveResult, stages } from '@vortex/contracts';
import { type FoundLetter, QueueFull, QueueUnavailable } from '@vortex/queue';
import { isRegistryUnavailable } from '@vortex/registry';
import { HttpProblem } from '../problem.ts';
import { fits, type LetterFilter, newestOfAll } from './choose-letters.ts';
import { planRedrive } from './plan-redrive.ts';
import { type RedriveParts, redriveLetter } from './redrive-letter.ts';

export interface RedriveMany {
  filter: LetterFilter;
  ratePerSecond: number;
  limit: number;
  dryRun: boolean;
  signal: AbortSignal;
}

/** One request takes no longer; what is left is for the next. */
const mostMs = 25_000;

/**
 * Redrives what fits, oldest first, evenly at the rate asked for. Stops at the first letter that the whole pipeline
 * and not the letter is in the way of (Redis or registry away): the next would fare no better. A full queue stops
 * only those that count against the same cap: batch letters meet theirs while people's questions still have room.
 */
export async function redriveMany(
  parts: RedriveParts,
  { filter, ratePerSecond, limit, dryRun, signal }: RedriveMany,
): Promise<DeadLettersRedriven> {
  const { matched, chosen } = await oldest(parts, filter, limit);
  const results: RedriveResult[] = [];
  let stoppedBy: DeadLettersRedriven['stopped_by'] = null;
  const startedAt = performance.now();
  const full = new Set<string>();
  let tries = 0;
  for (const found of chosen) {
    if (dryRun) {
      results.push(wouldRedrive(found));
      continue;
    }
    if (full.has(capOf(found))) continue;
    const dueMs = (tries * 1000) / ratePerSecond;
    if (dueMs > mostMs || performance.now() - startedAt > mostMs) {
      stoppedBy ??= 'time';
      break;
    }
    const waitMs = Math.max(0, startedAt + dueMs - performance.now());
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    // Nobody reads the answer any more: whoever asked has thought better of it.
    if (signal.aborted) break;
    tries += 1;
    const outcome = await redriveOne(parts, found);
    if (typeof outcome !== 'string') {
      results.push(outcome);
      continue;
    }
    stoppedBy = outcome;
    if (outcome !== 'queue_full') break;
    full.add(capOf(found));
  }
  if (matched > chosen.length) stoppedBy ??= 'limit';
  const refused = results.filter(({ outcome }) => outcome === 'refused' || outcome === 'gone').length;
  return {
    dry_run: dryRun,
    matched,
    redriven: dryRun ? 0 : results.length - refused,
    refused,
    remaining: matched - results.length,
    stopped_by: stoppedBy,
    results,
  };
}

/** Letters of one name are refused together when it is full. */
function capOf(found: FoundLetter): string {
  const plan = planRedrive(found, Date.now());
  return `${stages[found.stage].lane}${plan.kind === 'envelope' && plan.isBatch ? ' batch' : ''}`;
}

async function oldest(
  { deadLetters }: RedriveParts,
  filter: LetterFilter,
  limit: number,
): Promise<{ matched: number; chosen: FoundLetter[] }> {
  let matched = 0;
  const chosen: FoundLetter[] = [];
  for await (const { found } of newestOfAll(deadLetters, filter)) {
    if (!fits(found, filter)) continue;
    matched += 1;
    chosen.push(found);
    if (chosen.length > limit) chosen.shift();
  }
  return { matched, chosen: chosen.reverse() };
}

async function redriveOne(
  parts: RedriveParts,
  found: FoundLetter,
): Promise<RedriveResult | 'queue_full' | 'queue_unavailable' | 'registry_unavailable'> {
  try {
    const { deadline_renewed, job_id } = await redriveLetter(parts, found);
    return { ...resultOf(found), job_id, outcome: 'redriven', deadline_renewed };
  } catch (error) {
    if (error instanceof QueueFull) return 'queue_full';
    if (error instanceof QueueUnavailable) return 'queue_unavailable';
    if (isRegistryUnavailable(error)) return 'registry_unavailable';
    if (!(error instanceof HttpProblem)) throw error;
    const { code, detail } = error.problem;
    return {
      ...resultOf(found),
      ...{ code, detail, outcome: code === 'dead_letter_gone' ? 'gone' : 'refused' },
    };
  }
}

/** Of a bare id the registry has the last word; only the redrive itself asks it. */
function wouldRedrive(found: FoundLetter): RedriveResult {
  const plan = planRedrive(found, Date.now());
  if (plan.kind === 'refused') {
    return { ...resultOf(found), outcome: 'refused', code: plan.code, detail: plan.advice };
  }
  return {
    ...resultOf(found),
    job_id: plan.id,
    outcome: 'would_redrive',
    deadline_renewed: plan.kind === 'envelope' && plan.deadlineRenewed,
  };
}

function resultOf({ id, stage, letter }: FoundLetter) {
  return {
    ...{ id, queue: stages[stage].list, job_id: letter?.id ?? null },
    ...{ deadline_renewed: false, code: null, detail: null },
  };
}
