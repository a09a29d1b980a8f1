import type { Logger } from '@vortex/observability';
import type { AuditRegistry } from '@vortex/registry';
import type { Endpoint } from '../endpoint.ts';
import type { Exchange } from '../exchange.ts';

/**
 * The audit log: what administrators did, and whoever removed or changed a document or a collection. One row in the registry
 * (`GET /api/audit-log`) and one line `audit` in the log, which a collector may keep where nobody of this machine can
 * change it. Written when the act is done; that it could not be written is an error line with all that it says, and
 * not the failure of what has happened already.
 */
export interface AuditTrail {
  /** Whether acts by this route are told. */
  covers(endpoint: Pick<Endpoint, 'method' | 'path' | 'access'>): boolean;
  note(exchange: Exchange, response: Response): Promise<void>;
}

const changes = new Set([
  'POST /api/collections',
  'PATCH /api/collections/{name}',
  'DELETE /api/collections/{name}',
  'DELETE /api/documents/{id}',
  'POST /api/documents/delete',
]);
const sweepEveryMs = 3_600_000;
const dayMs = 86_400_000;

export function createAuditTrail(deps: {
  registry: AuditRegistry;
  log: Logger;
  keepDays: number;
  now?: () => number;
}): AuditTrail {
  const { registry, log, keepDays, now = Date.now } = deps;
  let sweptAt = Number.NEGATIVE_INFINITY;

  async function sweep(): Promise<void> {
    if (now() - sweptAt < sweepEveryMs) return;
    sweptAt = now();
    await registry.forgetAdminActs(now() - keepDays * dayMs);
  }

  return {
    covers: ({ method, path, access }) =>
      method !== 'get' && (access === 'admin' || changes.has(`${method.toUpperCase()} ${path}`)),

    async note(exchange, response) {
      if (response.status >= 400) return;
      const { caller, method, route, path, requestId } = exchange;
      const act = {
        tenant: caller.tenant,
        keyId: caller.keyId,
        act: `${method} ${route}`,
        target: (response.headers.get('location') ?? path).slice(0, 500),
        status: response.status,
        requestId,
      };
      const { keyId: key_id, requestId: request_id, ...line } = act;
      log.info({ ...line, key_id, request_id }, 'audit');
      try {
        await registry.recordAdminAct(act);
        await sweep();
      } catch (error) {
        log.error(
          { err: error, ...line, key_id, request_id },
          'an act could not be written to the audit log',
        );
      }
    },
  };
}
