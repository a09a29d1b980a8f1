import type { KeyScope } from '@vortex/contracts';
import type { KeyRecord, KeyRegistry, StoredKey } from '../api-keys.ts';
import { json, number, numberOrNull, text, textOrNull } from '../rows.ts';
import { all, first, type Row, run, type SqlSession } from './steps.ts';

/** `write` where it must be noticed by every gateway at once: they look at the change counter. */
export function keysOf({ now, read, write, noteUnsynced }: SqlSession): KeyRegistry {
  return {
    createKey: ({ scopes, collections, limits, ...input }) =>
      write(function* () {
        const row = yield* first(
          `INSERT INTO api_keys (id, tenant, name, scopes, collections, limits, secret_hash, created_at, expires_at)
           VALUES (:id, :tenant, :name, :scopes, :collections, :limits, :secretHash, :at, :expiresAt) RETURNING *`,
          {
            ...input,
            scopes: JSON.stringify(scopes),
            collections: collections === null ? null : JSON.stringify(collections),
            limits: limits === null ? null : JSON.stringify(limits),
            at: now(),
          },
        );
        if (row === undefined) throw new Error('a key was inserted but not returned');
        return recordFrom(row);
      }),

    async listKeys(tenant) {
      const order = 'ORDER BY created_at DESC, id DESC';
      const rows = await read(() =>
        tenant === null
          ? all(`SELECT * FROM api_keys ${order}`)
          : all(`SELECT * FROM api_keys WHERE tenant = :tenant ${order}`, { tenant }),
      );
      return rows.map(recordFrom);
    },

    async findKey(keyId) {
      const row = await read(() => first('SELECT * FROM api_keys WHERE id = :keyId', { keyId }));
      return row === undefined ? null : storedFrom(row);
    },

    async getKey(tenant, keyId) {
      const row = await read(() =>
        tenant === null
          ? first('SELECT * FROM api_keys WHERE id = :keyId', { keyId })
          : first('SELECT * FROM api_keys WHERE id = :keyId AND tenant = :tenant', { keyId, tenant }),
      );
      return row === undefined ? null : recordFrom(row);
    },

    rotateKey: (tenant, keyId, { secretHash, overlapMs }) =>
      write(function* () {
        const at = now();
        const row = yield* first(
          `UPDATE api_keys SET previous_hash = secret_hash, previous_until = :until, secret_hash = :secretHash,
                  rotated_at = :at
            WHERE id = :keyId AND tenant = :tenant AND revoked_at IS NULL
              AND (expires_at IS NULL OR expires_at > :at) RETURNING *`,
          { tenant, keyId, secretHash, at, until: at + overlapMs },
        );
        return row === undefined ? null : recordFrom(row);
      }),

    revokeKey: (tenant, keyId) =>
      write(function* () {
        const row = yield* first(
          `UPDATE api_keys SET revoked_at = :at
            WHERE id = :keyId AND tenant = :tenant AND revoked_at IS NULL RETURNING *`,
          { tenant, keyId, at: now() },
        );
        return row === undefined ? null : recordFrom(row);
      }),

    noteKeysUsed: (lastUsed) =>
      noteUnsynced(function* () {
        // By id, so that two gateways never wait for each other.
        for (const [keyId, at] of [...lastUsed].sort(([one], [other]) => (one < other ? -1 : 1))) {
          yield* run(
            `UPDATE api_keys SET last_used_at = :at
              WHERE id = :keyId AND (last_used_at IS NULL OR last_used_at < :at)`,
            { keyId, at },
          );
        }
      }),

    async hasKeys() {
      return (await read(() => first('SELECT 1 AS known FROM api_keys LIMIT 1'))) !== undefined;
    },
  };
}

function storedFrom(row: Row): StoredKey {
  return {
    ...recordFrom(row),
    secretHash: text(row, 'secret_hash'),
    previousHash: textOrNull(row, 'previous_hash'),
  };
}

function recordFrom(row: Row): KeyRecord {
  const collections = textOrNull(row, 'collections');
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    name: textOrNull(row, 'name'),
    // Both written by us with JSON.stringify.
    scopes: JSON.parse(text(row, 'scopes')) as KeyScope[],
    collections: collections === null ? null : (JSON.parse(collections) as string[]),
    limits: row.limits === null ? null : json(row, 'limits'),
    previousUntil: numberOrNull(row, 'previous_until'),
    createdAt: number(row, 'created_at'),
    expiresAt: numberOrNull(row, 'expires_at'),
    rotatedAt: numberOrNull(row, 'rotated_at'),
    revokedAt: numberOrNull(row, 'revoked_at'),
    lastUsedAt: numberOrNull(row, 'last_used_at'),
  };
}
