import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hashSecret, localKey, newKeyId, newKeySecret, parseKey, textOfKey } from './key-text.ts';

const pepper = randomBytes(32);

describe('a key', () => {
  it('is read back from its text', () => {
    const key = { id: newKeyId(), secret: newKeySecret() };
    expect(parseKey(textOfKey(key))).toEqual(key);
    expect(textOfKey(key)).toMatch(/^vx_[0-9a-f]{16}_[0-9A-Za-z]{43}$/);
  });

  it.each([
    '',
    'vx_',
    'vx_1_short',
    `vx__${'a'.repeat(43)}`,
    `sk_1_${'a'.repeat(43)}`,
    `vx_1_${'a'.repeat(43)} `,
    `vx_1_${'a'.repeat(65)}`,
    `vx_${'1'.repeat(33)}_${'a'.repeat(43)}`,
    `vx_1_${'a'.repeat(42)}\u0000`,
    `vx_../x_${'a'.repeat(43)}`,
  ])('is not %j', (text) => {
    expect(parseKey(text)).toBeNull();
  });

  it('has a secret of its own, which its hash tells only together with the pepper', () => {
    const secrets = new Set(Array.from({ length: 1000 }, newKeySecret));
    expect(secrets.size).toBe(1000);
    const [secret = ''] = secrets;
    expect(hashSecret(pepper, secret)).toBe(hashSecret(pepper, secret));
    expect(hashSecret(pepper, secret)).not.toBe(hashSecret(randomBytes(32), secret));
    expect(hashSecret(pepper, secret)).not.toContain(secret);
  });

  it('of the machine is the same wherever the pepper is, and nowhere else', () => {
    expect(localKey(pepper)).toEqual(localKey(pepper));
    expect(localKey(randomBytes(32))).not.toEqual(localKey(pepper));
    expect(parseKey(textOfKey(localKey(pepper)))).toEqual(localKey(pepper));
  });
});
