import { allowAdvice, derivedWebhookSecret, formRefusal, type WebhookRules } from '@vortex/registry';
import type { GatewayDependencies } from './dependencies.ts';
import { gatewayProblem } from './problem.ts';

/**
 * Where it leads is judged again by the deliverer, when the name has been resolved; what its form forbids already
 * is said to whoever gives it. @throws HttpProblem 422
 */
export function assertWebhookAddress(rules: WebhookRules, url: string, pointer: string): void {
  const reason = formRefusal(url, rules);
  if (reason === null) return;
  throw gatewayProblem('validation', {
    detail: `Webhooks are not sent to this address: ${reason}. ${allowAdvice}`,
    errors: [{ pointer, message: `is not allowed: ${reason}` }],
  });
}

/** What deliveries to a request's `webhook_url` are signed with. */
export async function secretOfAddress(
  deps: GatewayDependencies,
  tenant: string,
  url: string,
): Promise<string> {
  return derivedWebhookSecret(await deps.registry.signingKey(), tenant, url);
}

/**
 * Before an asynchronous question is queued: its end is to be told to `url`, and to the webhooks that want to
 * hear of questions. `undo` when the queue refused it.
 */
export async function watchQuestion(
  deps: GatewayDependencies,
  tenant: string,
  jobId: string,
  url: string | undefined,
): Promise<{ secret: string | undefined; undo(): Promise<void> }> {
  const { registry } = deps;
  const wanted = url !== undefined || (await isAwaited(deps, tenant));
  if (!wanted) return { secret: undefined, undo: async () => undefined };
  await registry.watchQuery({ tenant, jobId, url: url ?? null });
  return {
    secret: url === undefined ? undefined : await secretOfAddress(deps, tenant, url),
    undo: () => registry.unwatchQuery(jobId),
  };
}

async function isAwaited({ registry }: GatewayDependencies, tenant: string): Promise<boolean> {
  const webhooks = await registry.listWebhooks(tenant);
  return webhooks.some(({ events }) => events.includes('query.completed') || events.includes('query.failed'));
}
