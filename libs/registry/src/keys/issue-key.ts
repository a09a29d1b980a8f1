import type { KeyLimits, KeyResponse, KeyScope, KeyWithSecret } from '@vortex/contracts';
import type { KeyRecord, KeyRegistry } from '../api-keys.ts';
import { hashSecret, newKeyId, newKeySecret, textOfKey } from './key-text.ts';

export interface KeyRequest {
  tenant: string;
  name: string | null;
  scopes: readonly KeyScope[];
  collections: readonly string[] | null;
  expiresAt: number | null;
  limits?: KeyLimits | null;
}

/** The one moment at which the secret of a key is known: it is in the answer, and nowhere else. */
export async function issueKey(
  registry: Pick<KeyRegistry, 'createKey'>,
  pepper: Buffer,
  { scopes, collections, limits = null, ...request }: KeyRequest,
): Promise<KeyWithSecret> {
  const id = newKeyId();
  const secret = newKeySecret();
  const made = await registry.createKey({
    ...{ ...request, id, secretHash: hashSecret(pepper, secret) },
    // None is said in one way.
    limits: limits === null || Object.keys(limits).length === 0 ? null : limits,
    scopes: [...new Set(scopes)],
    collections: collections === null ? null : [...new Set(collections)],
  });
  return { ...keyResponseOf(made), key: textOfKey({ id, secret }) };
}

/** Null: it has ended. */
export async function reissueKey(
  registry: Pick<KeyRegistry, 'rotateKey'>,
  pepper: Buffer,
  { tenant, id, overlapMs }: { tenant: string; id: string; overlapMs: number },
): Promise<KeyWithSecret | null> {
  const secret = newKeySecret();
  const rotated = await registry.rotateKey(tenant, id, { secretHash: hashSecret(pepper, secret), overlapMs });
  return rotated === null ? null : { ...keyResponseOf(rotated), key: textOfKey({ id, secret }) };
}

/** Field by field: what a secret is checked by is not for anybody's eyes. */
export function keyResponseOf(key: KeyRecord): KeyResponse {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    id: key.id,
    tenant: key.tenant,
    name: key.name,
    scopes: [...key.scopes],
    collections: key.collections === null ? null : [...key.collections],
    limits: key.limits,
    state: stateOf(key),
    created_at: new Date(key.createdAt).toISOString(),
    expires_at: time(key.expiresAt),
    rotated_at: time(key.rotatedAt),
    overlap_until: time(key.previousUntil),
    revoked_at: time(key.revokedAt),
    last_used_at: time(key.lastUsedAt),
  };
}

function stateOf({ revokedAt, expiresAt }: KeyRecord): KeyResponse['state'] {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt <= Date.now() ? 'expired' : 'active';
}
