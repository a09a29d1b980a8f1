import { newId } from '@vortex/contracts';
import type { AdminAct, AuditRegistry } from '../admin-acts.ts';
import { number, text, textOrNull } from '../rows.ts';
import { all, type Row, run, type SqlSession } from './steps.ts';

const defaultLimit = 50;

/** Nothing that is cached depends on it, so the change counter stays. */
export function adminActsOf({ now, read, note }: SqlSession): AuditRegistry {
  return {
    recordAdminAct: (act) =>
      note(function* () {
        yield* run(
          `INSERT INTO admin_acts (id, tenant, key_id, act, target, status, request_id, created_at)
           VALUES (:id, :tenant, :keyId, :act, :target, :status, :requestId, :at)`,
          { ...act, id: newId('act'), at: now() },
        );
      }),

    async listAdminActs(tenant, { after, limit = defaultLimit } = {}) {
      const next = after === undefined ? '' : 'AND (created_at, id) < (:afterAt, :afterId)';
      const sql = `SELECT * FROM admin_acts WHERE tenant = :tenant ${next}
                    ORDER BY created_at DESC, id DESC LIMIT :limit`;
      const place = after === undefined ? {} : { afterAt: after.createdAt, afterId: after.id };
      return (await read(() => all(sql, { tenant, limit, ...place }))).map(actFrom);
    },

    forgetAdminActs: (createdBefore) =>
      note(function* () {
        const gone = yield* all('DELETE FROM admin_acts WHERE created_at < :createdBefore RETURNING id', {
          createdBefore,
        });
        return gone.length;
      }),
  };
}

function actFrom(row: Row): AdminAct {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    keyId: textOrNull(row, 'key_id'),
    act: text(row, 'act'),
    target: text(row, 'target'),
    status: number(row, 'status'),
    requestId: text(row, 'request_id'),
    createdAt: number(row, 'created_at'),
  };
}
