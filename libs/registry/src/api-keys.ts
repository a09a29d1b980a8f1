import type { KeyLimits, KeyScope } from '@vortex/contracts';

/**
 * Who may come in. A key is an id, which may be known, and a secret, of which only keyed hashes are here
 * (`keys/key-text.ts` makes them).
 *
 *   createKey ──► active ──rotateKey──► active, and the secret before this one holds until `previousUntil`
 *                   ├──its time is over──► expired
 *                   └──revokeKey─────────► revoked      both for good, and both secrets with it
 *
 * Rows are never removed: an instance that once had a key never stands open again by itself. Times are epoch
 * milliseconds.
 */
export interface KeyRegistry {
  createKey(input: NewKey): Promise<KeyRecord>;
  /** Newest first. Null: of all tenants, for whoever has the machine. */
  listKeys(tenant: string | null): Promise<KeyRecord[]>;
  /** By id alone, because it is the key that says whose it is; with what its secret is checked by. */
  findKey(keyId: string): Promise<StoredKey | null>;
  /** Null: unknown, or another tenant's. Tenant null: of all tenants, for whoever has the machine. */
  getKey(tenant: string | null, keyId: string): Promise<KeyRecord | null>;
  /**
   * A new secret. The one before it holds for `overlapMs` more; one that still held from an earlier rotation ends now.
   * Null: unknown, expired or revoked.
   */
  rotateKey(tenant: string, keyId: string, change: KeyRotation): Promise<KeyRecord | null>;
  /** Null: unknown, or revoked before. */
  revokeKey(tenant: string, keyId: string): Promise<KeyRecord | null>;
  /** Epoch milliseconds of the last request of each; never goes back. */
  noteKeysUsed(lastUsed: ReadonlyMap<string, number>): Promise<void>;
  /** Whether there ever was one. */
  hasKeys(): Promise<boolean>;
}

export interface NewKey {
  id: string;
  tenant: string;
  name: string | null;
  scopes: readonly KeyScope[];
  /** Null: all of the tenant's. */
  collections: readonly string[] | null;
  limits: KeyLimits | null;
  secretHash: string;
  expiresAt: number | null;
}

export interface KeyRotation {
  secretHash: string;
  overlapMs: number;
}

/** A key without anything that its secret is checked by. */
export interface KeyRecord extends Omit<NewKey, 'secretHash'> {
  previousUntil: number | null;
  createdAt: number;
  rotatedAt: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
}

export interface StoredKey extends KeyRecord {
  secretHash: string;
  previousHash: string | null;
}
