import type { AuthMode } from '@vortex/config';
import type { StoredKey } from '@vortex/registry';
import { hashSecret, localKey, newKeySecret, textOfKey } from '@vortex/registry';
import { describe, expect, it } from 'vitest';
import { noLimits } from '../limits/key-bounds.ts';
import { HttpProblem } from '../problem.ts';
import { createGatekeeper } from './gatekeeper.ts';

const pepper = Buffer.alloc(32, 1);
const now = 1000;
const [secret, before, other] = [newKeySecret(), newKeySecret(), newKeySecret()];

const stored: StoredKey = {
  ...{ id: 'k1', tenant: 'shop', name: null, scopes: ['query'], collections: ['handbook'], limits: null },
  ...{ secretHash: hashSecret(pepper, secret), previousHash: null, previousUntil: null, createdAt: 1 },
  ...{ expiresAt: null, rotatedAt: null, revokedAt: null, lastUsedAt: null },
};

function gatekeeperWith(
  key: StoredKey | null = stored,
  mode: AuthMode = 'auto',
  /** What the registry has by now. */
  rotated?: StoredKey,
  clock = () => now,
) {
  const reread: string[] = [];
  const used: string[] = [];
  const looked: string[] = [];
  const gatekeeper = createGatekeeper({
    ...{ mode, pepper, now: clock },
    keyring: {
      find: (id) => {
        looked.push(id);
        return id === key?.id ? key : Promise.resolve(null);
      },
      readAgain: async (id) => {
        reread.push(id);
        return rotated ?? (id === key?.id ? key : null);
      },
      hasKeys: () => key !== null,
      noteUsed: (id) => used.push(id),
    },
  });
  /** The caller, or the code of the refusal. */
  const ask = async (authorization?: string) => {
    try {
      return await gatekeeper.callerOf(authorization);
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error;
      return { status: error.problem.status, code: error.problem.code, detail: error.problem.detail };
    }
  };
  return { gatekeeper, ask, used, looked, reread };
}

const bearer = (text: string) => `Bearer ${text}`;
const key = bearer(textOfKey({ id: 'k1', secret }));
const invalid = { status: 401, code: 'key_invalid' };

describe('the gatekeeper', () => {
  it('lets everybody in as long as there is no key, with every right', async () => {
    const { ask, gatekeeper } = gatekeeperWith(null);
    expect(await ask()).toMatchObject({ tenant: 'default', keyId: null, isLocal: true });
    // What clients of OpenAI's API send who have no key.
    expect(await ask('Bearer none')).toMatchObject({ keyId: null });
    expect(gatekeeper.passerBy().scopes.size).toBe(3);
    expect(await ask(key)).toMatchObject(invalid);
  });

  it('asks for one from the first key on, and knows whose it is', async () => {
    const { ask, gatekeeper, used } = gatekeeperWith();
    expect(await ask()).toMatchObject({ status: 401, code: 'key_required' });
    expect(gatekeeper.passerBy().scopes.size).toBe(0);
    expect(used).toEqual([]);
    expect(await ask(key)).toEqual({
      ...{ tenant: 'shop', keyId: 'k1', scopes: new Set(['query']), collections: ['handbook'] },
      ...{ limits: null, isLocal: false },
    });
    expect(await ask(key.replace('Bearer', 'bearer '))).toMatchObject({ keyId: 'k1' });
    expect(used).toEqual(['k1', 'k1']);
  });

  it('in mode required asks for one that nobody has yet; in mode open for none, but looks at what is sent', async () => {
    expect(await gatekeeperWith(null, 'required').ask()).toMatchObject({ code: 'key_required' });
    const { ask } = gatekeeperWith(stored, 'open');
    // There are keys, so whoever has none does not own the machine.
    expect(await ask()).toMatchObject({ tenant: 'default', isLocal: false });
    expect(await ask(key)).toMatchObject({ tenant: 'shop' });
    expect(await ask(bearer(textOfKey({ id: 'k1', secret: other })))).toMatchObject(invalid);
  });

  it.each([
    ['another secret', stored, textOfKey({ id: 'k1', secret: other })],
    ['an unknown id', stored, textOfKey({ id: 'k2', secret })],
    ['one that is malformed', stored, 'vx_k1_abc'],
    ['one of somebody else', stored, 'sk-proj-abc'],
    ['one that has expired', { ...stored, expiresAt: now }, textOfKey({ id: 'k1', secret })],
    ['one that was revoked', { ...stored, revokedAt: 1 }, textOfKey({ id: 'k1', secret })],
    [
      'the secret before, its overlap over',
      { ...stored, previousHash: hashSecret(pepper, before), previousUntil: now },
      textOfKey({ id: 'k1', secret: before }),
    ],
    [
      'a secret of no digits where no previous one is',
      stored,
      textOfKey({ id: 'k1', secret: '0'.repeat(43) }),
    ],
    ['the machine’s with another secret', stored, textOfKey({ id: 'local', secret: other })],
  ])('refuses %s with one and the same answer', async (_what, known, text) => {
    const { ask, used } = gatekeeperWith(known);
    expect(await ask(bearer(text))).toEqual(await ask('Basic dXNlcjpwYXNz'));
    expect(await ask(bearer(text))).toMatchObject(invalid);
    expect(used).toEqual([]);
  });

  it('looks again at a key that it has let in before', async () => {
    let time = now;
    const record = { ...stored, expiresAt: now + 1 };
    const gatekeeper = createGatekeeper({
      ...{ mode: 'auto' as const, pepper, now: () => time },
      keyring: {
        ...{ find: () => record, readAgain: async () => record },
        ...{ hasKeys: () => true, noteUsed: () => undefined },
      },
    });
    for (let times = 0; times < 2; times += 1)
      expect(gatekeeper.callerOf(key)).toMatchObject({ keyId: 'k1' });
    const wrong = bearer(textOfKey({ id: 'k1', secret: other }));
    await expect(gatekeeper.callerOf(wrong)).rejects.toThrow(HttpProblem);
    time = now + 1;
    expect(() => gatekeeper.callerOf(key)).toThrow(HttpProblem);
  });

  it('looks into the registry once for a wrong secret, as for an unknown id, and knows a new secret at once', async () => {
    const wrong = bearer(textOfKey({ id: 'k1', secret: other }));
    const refused = gatekeeperWith();
    expect(await refused.ask(wrong)).toMatchObject(invalid);
    expect(refused.reread).toEqual(['k1']);
    const rotated = { ...stored, secretHash: hashSecret(pepper, other) };
    expect(await gatekeeperWith(stored, 'auto', rotated).ask(wrong)).toMatchObject({ keyId: 'k1' });
    const right = gatekeeperWith();
    await right.ask(key);
    expect(right.reread).toEqual([]);
  });

  it('takes both secrets while a rotation overlaps', async () => {
    const rotated = { ...stored, previousHash: hashSecret(pepper, before), previousUntil: now + 1 };
    let time = now;
    const { ask } = gatekeeperWith(rotated, 'auto', undefined, () => time);
    const old = bearer(textOfKey({ id: 'k1', secret: before }));
    expect(await ask(key)).toMatchObject({ keyId: 'k1' });
    expect(await ask(old)).toMatchObject({ keyId: 'k1' });
    // Nor is the one before taken any longer for having been let in.
    time = now + 1;
    expect(await ask(old)).toMatchObject(invalid);
    expect(await ask(key)).toMatchObject({ keyId: 'k1' });
  });

  it('holds a key to the limits of the configuration where it has none of its own', async () => {
    const limits = { ...noLimits, requests_per_minute: 60, documents: 5 };
    const limitsOf = (own: StoredKey['limits']) => {
      const record = { ...stored, limits: own };
      const keyring = {
        ...{ find: () => record, readAgain: async () => record },
        ...{ hasKeys: () => true, noteUsed: () => undefined },
      };
      const gatekeeper = createGatekeeper({ mode: 'auto', pepper, now: () => now, keyring, limits });
      return gatekeeper.callerOf(key);
    };
    expect(limitsOf(null)).toMatchObject({ limits: { requests_per_minute: 60, documents: 5 } });
    expect(limitsOf({ documents: 9 })).toMatchObject({ limits: { requests_per_minute: 60, documents: 9 } });
  });

  it('says of who is in already whether the key still holds, and with which secret', async () => {
    let time = now;
    let record: StoredKey | null = {
      ...{ ...stored, previousHash: hashSecret(pepper, before), previousUntil: now + 10 },
      expiresAt: now + 20,
    };
    let hasKeys = true;
    const gatekeeper = createGatekeeper({
      ...{ mode: 'auto' as const, pepper, now: () => time },
      keyring: {
        find: () => record ?? Promise.resolve(null),
        ...{ readAgain: async () => record, hasKeys: () => hasKeys, noteUsed: () => undefined },
      },
    });
    const byCurrent = await gatekeeper.callerOf(key);
    const byPrevious = await gatekeeper.callerOf(bearer(textOfKey({ id: 'k1', secret: before })));
    const byMachine = await gatekeeper.callerOf(bearer(textOfKey(localKey(pepper))));
    hasKeys = false;
    const byNothing = await gatekeeper.callerOf(undefined);
    hasKeys = true;
    const all = { byCurrent, byPrevious, byMachine, byNothing };
    const holding = async () => {
      const held: string[] = [];
      for (const [name, caller] of Object.entries(all)) {
        try {
          await gatekeeper.assertHolds(caller);
          held.push(name);
        } catch (error) {
          expect(error).toBeInstanceOf(HttpProblem);
        }
      }
      return held;
    };
    expect(await holding()).toEqual(['byCurrent', 'byPrevious', 'byMachine']);
    time = now + 10;
    expect(await holding()).toEqual(['byCurrent', 'byMachine']);
    // Rotated once more, as another gateway did it: the same record no longer.
    time = now;
    record = { ...record, secretHash: hashSecret(pepper, other), previousHash: stored.secretHash };
    expect(await holding()).toEqual(['byCurrent', 'byMachine']);
    time = now + 20;
    expect(await holding()).toEqual(['byMachine']);
    time = now;
    record = { ...record, revokedAt: now };
    expect(await holding()).toEqual(['byMachine']);
    record = null;
    expect(await holding()).toEqual(['byMachine']);
  });

  it('knows the key of the machine, which is in no registry', async () => {
    const { ask, looked } = gatekeeperWith();
    expect(await ask(bearer(textOfKey(localKey(pepper))))).toMatchObject({ keyId: 'local', isLocal: true });
    expect(looked).toEqual([]);
  });
});
