/**
 * Looks for what must not stand in a repository: keys of known shapes, private keys, and long random texts that are given to
 * something called a password, secret, token or key. What is found is named by file, line and kind, never shown.
 */
export interface FoundSecret {
  line: number;
  kind: string;
}

const shapes: readonly [kind: string, pattern: RegExp][] = [
  ['private key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*(?:\\n)?\s*[A-Za-z0-9+/=]{40}/],
  ['AWS access key', /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ['GitHub token', /\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_\w{60,}/],
  ['GitLab token', /\bglpat-[\w-]{20}/],
  ['npm token', /\bnpm_[A-Za-z0-9]{36}\b/],
  ['OpenAI key', /\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}/],
  ['Anthropic key', /\bsk-ant-[\w-]{32,}/],
  ['Hugging Face token', /\bhf_[A-Za-z0-9]{30,}/],
  ['Google key', /\bAIza[\w-]{35}/],
  ['Slack token', /\bxox[abeprs]-[\w-]{20,}/],
  ['JSON Web Token', /\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}/],
  ['key of Vortex', /\bvx_[0-9a-f]{16}_[0-9A-Za-z]{43}\b/],
  ['password in an address', /\b[a-z][a-z+]*:\/\/[^\s/:@'"`$]*:([^\s/:@'"`${}]{12,})@/],
  ['secret', /(?:passw(?:or)?d|secret|token|api_?key|pepper)['"]?\s*[:=]\s*['"]([A-Za-z0-9+/=_-]{20,})['"]/i],
];

/** In bits per character: random base64 or hex has 3.5 and more over twenty of them, words and `x`s do not. */
const leastEntropy = 3.5;

export function secretsIn(text: string): FoundSecret[] {
  const found: FoundSecret[] = [];
  for (const [kind, pattern] of shapes) {
    for (const match of text.matchAll(new RegExp(pattern.source, `${pattern.flags}g`))) {
      const [whole, value = whole] = match;
      if (entropy(value) < leastEntropy || isMadeForShow(value)) continue;
      found.push({ line: text.slice(0, match.index).split('\n').length, kind });
    }
  }
  return found.sort((one, other) => one.line - other.line);
}

/**
 * An alphabet or a count, as examples have it; words with hyphens; and the published vector of Standard Webhooks, which every
 * implementation tests with.
 */
function isMadeForShow(value: string): boolean {
  if (/0123456789|abcdefgh|12345678/i.test(value) || /^[a-z]+([-_][a-z]+)+$/.test(value)) return true;
  return value === 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
}

function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
