import { type KeyLimits, keyLimits, keyScope, newKeyLimits, tenantName } from '@vortex/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import { commandOf, instanceCommandOf } from './command-options.ts';

/** `vortex keys …`: who may come in. */
export function addKeyCommands(program: Command): void {
  const keys = commandOf(program, 'keys', 'who may come in: create, list, rotate, revoke');

  instanceCommandOf(keys, 'create', 'make a key; the first one closes the door to whoever has none')
    .option('--tenant <name>', 'whose documents it is for (default: default)', tenant)
    .requiredOption('--scopes <list>', 'of query, ingest, admin; comma-separated', scopes)
    .option('--collections <list>', 'only these; comma-separated', words)
    .option('--name <text>', 'for people who read the list')
    .option(
      '--expires <time>',
      'in so long (30d, 12h, 45m, 90s), or at an ISO 8601 time (default: never)',
      expiry,
    )
    .option(
      '--limits <list>',
      'requests_per_minute, burst, tokens_per_minute, tokens_per_day, concurrent_queries, documents, bytes; such as requests_per_minute=60,documents=1000',
      limits,
    )
    .option('--json', '{"id","key",…}, for programs', false)
    .action(async (options) => (await import('./keys-command.ts')).createKey(options));

  instanceCommandOf(keys, 'list', 'newest first, without their secrets')
    .option('--json', 'for programs', false)
    .action(async (options) => (await import('./keys-command.ts')).listKeys(options));

  instanceCommandOf(keys, 'rotate', 'give a key a new secret; the one before it holds for the overlap')
    .argument('<id>', 'between vx_ and the secret')
    .option('--overlap <time>', 'such as 24h, or 0', timeSpanMs, 24 * 3_600_000)
    .option('--json', '{"id","key",…}, for programs', false)
    .action(async (id, options) => (await import('./keys-command.ts')).rotateKey(id, options));

  instanceCommandOf(keys, 'revoke', 'end a key, for good')
    .argument('<id...>', 'between vx_ and the secret')
    .option('--json', 'for programs', false)
    .action(async (ids, options) => (await import('./keys-command.ts')).revokeKeys(ids, options));
}

function words(text: string): string[] {
  const found = text.split(',').map((word) => word.trim());
  if (found.some((word) => word === '')) throw new InvalidArgumentError('It must be a list, such as a,b.');
  return found;
}

function scopes(text: string) {
  return words(text).map((word) => {
    const scope = keyScope.safeParse(word);
    if (scope.success) return scope.data;
    throw new InvalidArgumentError(`${word} is none of ${keyScope.options.join(', ')}.`);
  });
}

/** `requests_per_minute=60,documents=1000` */
export function limits(text: string): KeyLimits {
  const pairs = words(text).map((word) => word.split('=').map((part) => part.trim()));
  const bounds = newKeyLimits.safeParse(
    Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)])),
  );
  if (bounds.success) return bounds.data;
  const [mistake] = bounds.error.issues;
  if (mistake?.code === 'custom')
    throw new InvalidArgumentError(`${mistake.path.join('.')} ${mistake.message}.`);
  const known = Object.keys(keyLimits.shape).join(', ');
  throw new InvalidArgumentError(`It must be a list such as requests_per_minute=60 of ${known}.`);
}

function tenant(text: string): string {
  const name = tenantName.safeParse(text);
  if (name.success) return name.data;
  throw new InvalidArgumentError(`It ${name.error.issues[0]?.message ?? 'is no name'}.`);
}

const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30d`, `12h`, `45m`, `90s`, `0`. */
export function timeSpanMs(text: string): number {
  if (text === '0') return 0;
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (units[unit] ?? Number.NaN);
  if (Number.isFinite(ms)) return ms;
  throw new InvalidArgumentError('It must be a time such as 30d, 12h, 45m or 90s.');
}

/** @returns RFC 3339 */
export function expiry(text: string): string {
  const at = /^\d{4}-/.test(text) ? Date.parse(text) : Date.now() + timeSpanMs(text);
  if (Number.isNaN(at))
    throw new InvalidArgumentError('It must be a time such as 30d or 2027-01-31T08:00:00Z.');
  if (at <= Date.now()) throw new InvalidArgumentError('It must be in the future.');
  return new Date(at).toISOString();
}
