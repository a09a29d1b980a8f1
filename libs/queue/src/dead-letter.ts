import { isUtf8 } from 'node:buffer';
import { createHash, randomUUID } from 'node:crypto';
import { maxDeadBytes, stageOfList } from '@vortex/contracts';
import { returnList } from './keys.ts';

/** What the dead list keeps of a job that could not go on: JSON, times in epoch milliseconds. */
export interface DeadLetter {
  id: string | null;
  queue: string;
  stage: string | null;
  /** Whose job it was; absent when nobody could read that. */
  tenant?: string;
  code: string;
  reason: string;
  attempts: number;
  /** When it was put on the list it died on for its first try; when nothing says so, the time of its end. */
  first_at: number | null;
  last_at: number;
  /** Random: makes the letters of equal ends differ, and so their ids. */
  nonce?: string;
  /** Size of the element; `raw` is cut to `maxDeadBytes` of it. */
  bytes: number;
  encoding: 'utf8' | 'base64';
  raw: string;
}

export function deadLetterText(
  letter: Omit<DeadLetter, 'bytes' | 'encoding' | 'raw' | 'last_at' | 'nonce'>,
  element: string | Buffer,
): string {
  const whole = typeof element === 'string' ? Buffer.from(element) : element;
  const cut = whole.subarray(0, maxDeadBytes);
  // Half a character at the cut would be a replacement, and might make up for the bytes that are missing.
  const half = cut.byteLength < whole.byteLength ? /\ufffd$/ : '';
  const text = isUtf8(whole) ? cut.toString('utf8').replace(half, '') : null;
  // Escaped, a control character takes six bytes; from a third more on base64 is shorter.
  const readable = text !== null && JSON.stringify(text).length * 3 <= (cut.byteLength + 2) * 4;
  const endedAt = Date.now();
  return JSON.stringify({
    ...letter,
    reason: letter.reason.slice(0, 2000),
    first_at: letter.first_at ?? endedAt,
    last_at: endedAt,
    nonce: randomUUID(),
    bytes: whole.byteLength,
    encoding: readable ? 'utf8' : 'base64',
    raw: readable ? text : cut.toString('base64'),
  } satisfies DeadLetter);
}

/** The letter in these bytes; null when they are none: anyone may push on a dead list. */
export function readDeadLetter(bytes: Buffer): DeadLetter | null {
  let fields: Partial<Record<keyof DeadLetter, unknown>>;
  try {
    fields = JSON.parse(bytes.toString('utf8')) as typeof fields;
  } catch {
    return null;
  }
  if (typeof fields !== 'object' || fields === null) return null;
  const { id, queue, stage, code, reason, attempts, first_at, last_at, bytes: size, encoding, raw } = fields;
  const { tenant } = fields;
  if (typeof queue !== 'string' || typeof code !== 'string' || typeof raw !== 'string') return null;
  if (encoding !== 'utf8' && encoding !== 'base64') return null;
  const lastAt = timeOrNull(last_at);
  if (lastAt === null || typeof size !== 'number' || typeof reason !== 'string') return null;
  return {
    ...{ queue, code, reason, encoding, raw, bytes: size, last_at: lastAt },
    id: typeof id === 'string' ? id : null,
    stage: typeof stage === 'string' ? stage : null,
    ...(typeof tenant === 'string' && { tenant }),
    attempts: typeof attempts === 'number' && Number.isInteger(attempts) ? Math.max(0, attempts) : 0,
    first_at: timeOrNull(first_at),
  };
}

/** The element a letter was written for; null when only a part of it was kept. */
export function elementOfLetter({ bytes, encoding, raw }: DeadLetter): Buffer | null {
  const element = Buffer.from(raw, encoding);
  return element.byteLength === bytes ? element : null;
}

/**
 * A letter's own id: its stage and 128 bits of the SHA-256 of its bytes. Of the bytes and not written in them, so
 * that whatever stands on a dead list has one and nothing can claim another's. Exact copies are one letter.
 */
export function deadLetterId(list: string, bytes: Buffer | string): string {
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  return `dlt_${stageOfList(returnList(list)) ?? 'none'}_${digest}`;
}

/** Times that a Date can hold: what is beyond was forged. */
function timeOrNull(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 && value <= 8.64e15 ? value : null;
}
