import { defaultTenant } from '@vortex/contracts';
import { gatewayProblem } from '../problem.ts';
import type { Caller } from './caller.ts';

/** Whoever runs the instance: the machine itself, and the admins of the tenant it started with. */
function isOperator({ isLocal, tenant }: Caller): boolean {
  return isLocal || tenant === defaultTenant;
}

/**
 * What concerns all tenants at once, an admin of one of them may not do.
 * @throws HttpProblem 403 `tenant_forbidden`
 */
export function assertOperator(caller: Caller, what: string): void {
  if (isOperator(caller)) return;
  throw gatewayProblem('tenant_forbidden', {
    detail: `${what} concerns all tenants; it takes an admin of the tenant ${defaultTenant}, or a command on the machine.`,
  });
}
