import { visibleText } from '@vortex/contracts';

const maxQuoted = 300;

/** What a server said, fit for a message: one line, short, and without the secrets we sent it. */
export function quoted(text: string, secrets: readonly (string | null)[] = []): string {
  let shown = text;
  for (const secret of secrets) if (secret) shown = shown.replaceAll(secret, '••••');
  shown = visibleText(shown.toWellFormed())
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  if (shown === '') return 'no explanation';
  return shown.length > maxQuoted ? `${shown.slice(0, maxQuoted).toWellFormed()} …` : shown;
}
