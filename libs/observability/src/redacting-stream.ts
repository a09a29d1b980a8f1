import type { DestinationStream } from 'pino';

/**
 * The last door of a log: whatever an error, a library or a server has said, no secret leaves by it. Masked are the
 * configuration's own secrets, wherever they stand in a line, and what has the form of one: keys of ours, bearer tokens,
 * passwords in URLs. (A field named like a secret is masked before, by its name.)
 */
const forms: readonly [RegExp, string][] = [
  [/\bvx_([0-9A-Za-z]+)_[0-9A-Za-z]{16,}/g, 'vx_$1_••••'],
  [/\b(bearer|basic) +[A-Za-z0-9._~+/=-]{8,}/gi, '$1 ••••'],
  [/(:\/\/[^\s/:@"\\]*):[^\s/@"\\]+@/g, '$1:••••@'],
  [/\bwhsec_[A-Za-z0-9+/=]{16,}/g, 'whsec_••••'],
];
/** Nearly no line has any of the forms, and looking once is cheaper than replacing four times. */
const suspicion = /\bvx_|bearer |basic |whsec_|:\/\/[^/\s"]*@/i;

export function redacting(stream: DestinationStream, secrets: readonly string[] = []): DestinationStream {
  // As they stand inside of a JSON string.
  const literals = secrets.map((secret) => JSON.stringify(secret).slice(1, -1));
  return {
    write(line) {
      stream.write(redacted(line, literals));
    },
  };
}

function redacted(line: string, literals: readonly string[]): string {
  let safe = line;
  for (const literal of literals) if (safe.includes(literal)) safe = safe.replaceAll(literal, '••••');
  if (suspicion.test(safe)) for (const [form, mask] of forms) safe = safe.replaceAll(form, mask);
  return safe;
}
