import { createHmac, randomBytes } from 'node:crypto';

/**
 * `vx_<id>_<secret>`. The id finds the row, the secret (256 random bits) proves it. Of the secret the registry keeps
 * HMAC-SHA256 under the pepper: fast, because a random key cannot be guessed and is checked on every request, and
 * keyed, so that whoever reads the database alone can neither check a guess nor forge a row.
 */
export interface KeyText {
  id: string;
  secret: string;
}

const form = /^vx_([0-9a-z]{1,32})_([0-9A-Za-z]{32,64})$/;

/** Null: nothing of ours. */
export function parseKey(text: string): KeyText | null {
  const [, id, secret] = form.exec(text) ?? [];
  return id === undefined || secret === undefined ? null : { id, secret };
}

export function textOfKey({ id, secret }: KeyText): string {
  return `vx_${id}_${secret}`;
}

export function newKeyId(): string {
  return randomBytes(8).toString('hex');
}

export function newKeySecret(): string {
  return base62(randomBytes(32));
}

export function hashSecret(pepper: Buffer, secret: string): string {
  return digestOfSecret(pepper, secret).toString('hex');
}

export function digestOfSecret(pepper: Buffer, secret: string): Buffer {
  return createHmac('sha256', pepper).update(secret).digest();
}

/** No key is given this id. */
export const localKeyId = 'local';

/** The key of whoever may read the pepper: the same in every process that has it, and in no database. */
export function localKey(pepper: Buffer): KeyText {
  const secret = base62(createHmac('sha256', pepper).update('the authority of this machine').digest());
  return { id: localKeyId, secret };
}

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** 43 digits hold 256 bits. */
function base62(bytes: Buffer): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  while (text.length < 43) {
    text = digits.charAt(Number(rest % 62n)) + text;
    rest /= 62n;
  }
  return text;
}
