import { hash, timingSafeEqual } from 'node:crypto';
import type { AuthMode, ServiceConfig } from '@vortex/config';
import { defaultTenant, keyScope } from '@vortex/contracts';
import {
  digestOfSecret,
  type KeyText,
  localKey,
  localKeyId,
  parseKey,
  type StoredKey,
} from '@vortex/registry';
import { boundsOf, noLimits } from '../limits/key-bounds.ts';
import { gatewayProblem, type HttpProblem } from '../problem.ts';
import { type Caller, openCaller } from './caller.ts';
import type { Keyring } from './keyring.ts';

/**
 * Says who a request comes from, by its `Authorization` alone.
 *
 *   no key sent ──► no key asked for (see `isRequired`): the open caller
 *        └────────► 401 key_required
 *   a key sent ──► valid: its caller, whether one is asked for or not
 *        └───────► malformed, unknown, another secret, expired, revoked: 401 key_invalid, one and the same answer
 *
 * An unknown id costs what a known one with a wrong secret costs: one look into the registry, one digest, two comparisons in
 * constant time.
 */
export interface Gatekeeper {
  /** @throws HttpProblem 401; RegistryUnavailable when the key can be neither known nor looked up */
  callerOf(authorization: string | undefined): Caller | Promise<Caller>;
  /**
   * Asked before each thing that a request hears which outlives an answer: whether what it came in with would still let
   * it in. At once, unless the key is in doubt. @throws as `callerOf`
   */
  assertHolds(caller: Caller): void | Promise<void>;
  /** Of a request to an open route: its key is not looked at. */
  passerBy(): Caller;
  isRequired(): boolean;
}

export function createGatekeeper(options: {
  /** `auto`: from the first key on. */
  mode: AuthMode;
  keyring: Pick<Keyring, 'find' | 'readAgain' | 'hasKeys' | 'noteUsed'>;
  pepper: Buffer;
  /** For keys that have none of their own. */
  limits?: ServiceConfig<'gateway'>['limits'];
  now?: () => number;
}): Gatekeeper {
  const { mode, keyring, pepper, limits: defaults = noLimits, now = Date.now } = options;
  /** The same object as long as the keyring holds the same record; another one for the secret before a rotation. */
  const callers = { current: new WeakMap<StoredKey, Caller>(), previous: new WeakMap<StoredKey, Caller>() };
  /** Hash of the secret each came in with. */
  const cameWith = new WeakMap<Caller, string | null>();
  /**
   * SHA-256 of the secret that was last found to be a key's, as long as the keyring holds the same record: the HMAC takes
   * 13 µs, a tenth of what accepting a document costs, this one or two.
   */
  const verified = new WeakMap<StoredKey, Buffer>();
  const ofMachine = localKey(pepper);
  // Both are hashed once more: what is compared has one length, whatever was sent.
  const machineDigest = digestOfSecret(pepper, ofMachine.secret);

  function isRequired(): boolean {
    return mode === 'required' || (mode === 'auto' && keyring.hasKeys());
  }

  function withoutKey(): Caller {
    // As long as there is no key at all, whoever reaches the instance is its owner.
    return keyring.hasKeys() ? { ...openCaller, isLocal: false } : openCaller;
  }

  /** @returns null: the secret is not this key's. @throws HttpProblem 401 */
  function judge({ id, secret }: KeyText, stored: StoredKey | null): Caller | null {
    const at = now();
    // As text: Node's one-shot hash takes 0.3 µs for it, and 2 µs for a buffer.
    const quick = Buffer.from(hash('sha256', secret, 'hex'), 'latin1');
    const match = isVerified(stored, quick) ? 'current' : matchOf(stored, secret, at);
    if (stored === null || match === null) return null;
    if (isOver(stored, at)) throw keyInvalid();
    // The secret before a rotation has an end of its own, which is looked at every time.
    if (match === 'current') verified.set(stored, quick);
    keyring.noteUsed(id);
    return callerOfKey(stored, match);
  }

  async function judgeAnew(key: KeyText, reading: Promise<StoredKey | null>): Promise<Caller> {
    const caller = judge(key, await reading);
    if (caller === null) throw keyInvalid();
    return caller;
  }

  function isVerified(stored: StoredKey | null, quick: Buffer): boolean {
    const before = stored === null ? undefined : verified.get(stored);
    return timingSafeEqual(quick, before ?? noQuick);
  }

  /** What is done for a key is done for no key. */
  function matchOf(stored: StoredKey | null, secret: string, at: number): 'current' | 'previous' | null {
    const digest = digestOfSecret(pepper, secret);
    const isCurrent = isDigest(digest, stored?.secretHash);
    const isPrevious = isDigest(digest, stored?.previousHash);
    if (stored === null) return null;
    if (isCurrent) return 'current';
    return isPrevious && at < (stored.previousUntil ?? 0) ? 'previous' : null;
  }

  function isOver({ revokedAt, expiresAt }: StoredKey, at: number): boolean {
    return revokedAt !== null || (expiresAt !== null && expiresAt <= at);
  }

  function assertLetsIn(stored: StoredKey | null, secretHash: string | null): void {
    const at = now();
    if (stored === null || isOver(stored, at)) throw keyInvalid();
    const { previousHash, previousUntil } = stored;
    const isPrevious = secretHash === previousHash && at < (previousUntil ?? 0);
    if (secretHash !== stored.secretHash && !isPrevious) throw keyInvalid();
  }

  function callerOfKey(stored: StoredKey, match: 'current' | 'previous'): Caller {
    const before = callers[match].get(stored);
    if (before !== undefined) return before;
    const { tenant, id: keyId, collections } = stored;
    const scopes = new Set(stored.scopes);
    const limits = boundsOf(stored.limits, defaults);
    const caller: Caller = { tenant, keyId, scopes, collections, limits, isLocal: false };
    callers[match].set(stored, caller);
    cameWith.set(caller, match === 'current' ? stored.secretHash : stored.previousHash);
    return caller;
  }

  return {
    isRequired,
    assertHolds(caller) {
      const { keyId } = caller;
      if (keyId === null && isRequired()) throw keyRequired();
      const secretHash = cameWith.get(caller);
      // The machine, whoever came without a key, and a caller that somebody else vouches for.
      if (keyId === null || secretHash === undefined) return undefined;
      const found = keyring.find(keyId);
      if (found instanceof Promise) return found.then((stored) => assertLetsIn(stored, secretHash));
      return assertLetsIn(found, secretHash);
    },
    passerBy: () => (isRequired() ? nobody : withoutKey()),
    callerOf(authorization) {
      const token = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
      // Clients of OpenAI's API must send something; what is not meant for us is no key.
      if (token?.startsWith('vx_') !== true) {
        if (!isRequired()) return withoutKey();
        throw authorization === undefined ? keyRequired() : keyInvalid();
      }
      const key = parseKey(token);
      if (key === null) throw keyInvalid();
      if (key.id === localKeyId) {
        if (!timingSafeEqual(digestOfSecret(pepper, key.secret), machineDigest)) throw keyInvalid();
        return localCaller;
      }
      const found = keyring.find(key.id);
      if (found instanceof Promise) return judgeAnew(key, found);
      // It may have been given another secret a moment ago.
      return judge(key, found) ?? judgeAnew(key, keyring.readAgain(key.id));
    },
  };
}

/** Whoever may read the data folder: a command with `--data` on the same machine. */
const localCaller: Caller = {
  tenant: defaultTenant,
  keyId: localKeyId,
  scopes: new Set(keyScope.options),
  collections: null,
  limits: null,
  isLocal: true,
};

/** Met at open routes of an instance that asks for a key elsewhere. */
const nobody: Caller = {
  tenant: defaultTenant,
  keyId: null,
  scopes: new Set(),
  collections: null,
  limits: null,
  isLocal: false,
};

const noDigest = Buffer.alloc(32);
const noQuick = Buffer.alloc(64);

function isDigest(digest: Buffer, hash: string | null | undefined): boolean {
  const expected = hash == null ? noDigest : Buffer.from(hash, 'hex');
  return timingSafeEqual(digest, expected.length === digest.length ? expected : noDigest);
}

function keyRequired(): HttpProblem {
  return gatewayProblem('key_required', {
    detail: 'Send a key: Authorization: Bearer vx_<id>_<secret>. ./vortex keys create makes one.',
    headers: { 'WWW-Authenticate': 'Bearer realm="vortex"' },
  });
}

function keyInvalid(): HttpProblem {
  return gatewayProblem('key_invalid', {
    detail: 'This key is malformed, unknown, expired or revoked.',
    headers: { 'WWW-Authenticate': 'Bearer realm="vortex", error="invalid_token"' },
  });
}
