/**
 * Public ids: a prefix that says what it names, then 22 base-62 digits (131 bits, so ids never need a
 * uniqueness check). The prefix is part of the API: clients and logs tell kinds apart by it.
 */
type IdPrefix = 'qry' | 'job' | 'doc' | 'chk' | 'req' | 'whk' | 'evt' | 'dlv' | 'aud' | 'act';

/** Base 62, in ASCII order. */
export const idDigits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export function newId(prefix: IdPrefix): string {
  let id = '';
  // 248 = 4 × 62: bytes above it are dropped, or the first digits would come up more often.
  while (id.length < 22) {
    const byte = nextRandomByte();
    if (byte < 248) id += idDigits[byte % 62];
  }
  return `${prefix}_${id}`;
}

/** Asking for random bytes costs 2 µs however few they are (a tenth of accepting a document), so many are asked for at once. */
const pool = new Uint8Array(4096);
let unused = 0;

function nextRandomByte(): number {
  if (unused === 0) unused = crypto.getRandomValues(pool).length;
  unused -= 1;
  return pool[unused] ?? 0;
}
