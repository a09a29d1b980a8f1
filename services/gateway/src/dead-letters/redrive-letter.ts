import { batchPart, type Redriven, stages } from '@vortex/contracts';
import { type FoundLetter, QueueFull, type RedriveOrder } from '@vortex/queue';
import type { GatewayParts } from '../dependencies.ts';
import { gatewayProblem } from '../problem.ts';
import { planRedrive, trackOf } from './plan-redrive.ts';

/** `deadLetters` are the tenant's own. */
export type RedriveParts = Pick<GatewayParts, 'deadLetters' | 'registry' | 'settings'> & { tenant: string };

/**
 * Takes one letter's job back: planned ─► (a bare id: its job opened again in the registry) ─► one script.
 *
 * A bare id's job is opened before the letter goes. Where Redis fails in between, the letter is still there and the
 * sweeper queues the open job; whoever redrives again is told that it is live. Two who redrive one letter may both
 * pass the registry: the script lets one of them through.
 *
 * @throws HttpProblem 409, 422 with advice; QueueFull; QueueUnavailable; errors of the registry. Nothing is lost then.
 */
export async function redriveLetter(parts: RedriveParts, found: FoundLetter): Promise<Redriven> {
  const now = Date.now();
  const plan = planRedrive(found, now);
  if (plan.kind === 'refused') throw gatewayProblem(plan.code, { detail: plan.advice });
  const { lane, list } = stages[found.stage];
  const { max_live_queries: queries, max_live_documents: documents } = parts.settings;
  const cap = lane === 'interactive' ? queries : documents;
  if (plan.kind === 'envelope') {
    await runRedrive(parts, found, { ...plan, cap: plan.isBatch ? batchPart(cap) : cap });
  } else {
    if ((await parts.deadLetters.live(lane)) >= cap) throw new QueueFull(1000);
    const track = await openAgain(parts, plan.id, now);
    // Opened again it has to go in: a refusal now would leave that to the sweeper.
    const order = { list, id: plan.id, element: plan.id, deadlineAt: plan.deadlineAt };
    await runRedrive(parts, found, { ...order, cap: Number.MAX_SAFE_INTEGER, track });
  }
  const isShown = plan.kind === 'id' || plan.track !== undefined;
  return {
    id: found.id,
    queue: list,
    job_id: plan.id,
    deadline_renewed: plan.kind === 'envelope' && plan.deadlineRenewed,
    deadline_at: new Date(plan.deadlineAt).toISOString(),
    status_url: isShown ? `/api/jobs/${encodeURIComponent(plan.id)}` : null,
  };
}

async function runRedrive(parts: RedriveParts, found: FoundLetter, order: RedriveOrder): Promise<void> {
  const answer = await parts.deadLetters.redrive(found, order);
  if (answer === 'FULL') throw new QueueFull(1000);
  if (answer === 'GONE') throw letterGone();
  if (answer === 'LIVE') {
    throw gatewayProblem('dead_letter_not_redrivable', {
      detail: 'A job of that id is in the pipeline already. Wait for its end, or DELETE the letter.',
    });
  }
}

const notOpened = {
  completed: 'Its job has completed meanwhile; there is nothing to repeat. DELETE the letter.',
  gone: 'Its document was deleted, or its original is not kept any more; upload it again and DELETE the letter.',
  overtaken: 'A newer version of its document was uploaded since. DELETE the letter.',
  unknown: 'Nobody knows a job of that id (any more); upload the document again and DELETE the letter.',
} as const;

async function openAgain(
  { registry, tenant }: RedriveParts,
  id: string,
  now: number,
): Promise<RedriveOrder['track']> {
  const outcome = await registry.reopenJob(tenant, id);
  // Open already: by another redrive that did not come to its end, or by a retry; the script says whether it is queued.
  if (outcome !== 'reopened' && outcome !== 'not_ended') {
    throw gatewayProblem('dead_letter_not_redrivable', { detail: notOpened[outcome] });
  }
  const job = await registry.getJob(tenant, id);
  return job === null ? undefined : trackOf(id, job, now);
}

export function letterGone() {
  return gatewayProblem('dead_letter_gone', {
    detail: 'Somebody redrove or dropped it in the meantime, or newer letters displaced it.',
  });
}
