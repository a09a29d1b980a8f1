import { isUtf8 } from 'node:buffer';
import { maxDeadBytes } from '@vortex/contracts';

/** What the dead list keeps of a job that could not go on: JSON, times in epoch milliseconds. */
export interface DeadLetter {
  id: string | null;
  queue: string;
  stage: string | null;
  code: string;
  reason: string;
  attempts: number;
  /** When it was put on the list it died on, if the element said so. */
  first_at: number | null;
  last_at: number;
  /** Size of the element; `raw` is cut to `maxDeadBytes` of it. */
  bytes: number;
  encoding: 'utf8' | 'base64';
  raw: string;
}

export function deadLetterText(
  letter: Omit<DeadLetter, 'bytes' | 'encoding' | 'raw' | 'last_at'>,
  element: string | Buffer,
): string {
  const whole = typeof element === 'string' ? Buffer.from(element) : element;
  // Base64 is four characters for three bytes: cut so that the letter itself stays within the limit.
  const readable = isUtf8(whole);
  const cut = whole.subarray(0, readable ? maxDeadBytes : Math.floor((maxDeadBytes * 3) / 4));
  return JSON.stringify({
    ...letter,
    reason: letter.reason.slice(0, 2000),
    last_at: Date.now(),
    bytes: whole.byteLength,
    encoding: readable ? 'utf8' : 'base64',
    raw: readable ? cut.toString('utf8') : cut.toString('base64'),
  } satisfies DeadLetter);
}
