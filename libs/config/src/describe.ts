import type { z } from 'zod';
import { isSecret } from './is-secret.ts';
import { fieldMeta, type SectionName, sections } from './sections.ts';

export interface SettingRow {
  section: SectionName;
  key: string;
  environment: string[];
  default: string;
  about: string;
}

/** Every setting there is, for the documentation's table and for `--set`. */
export function describeSettings(): SettingRow[] {
  return (Object.keys(sections) as SectionName[]).flatMap((section) => {
    const defaults = sections[section].parse({}) as Record<string, unknown>;
    return Object.entries(sections[section].shape).map(([key, schema]) => {
      const meta = fieldMeta.get(schema as z.ZodType);
      return {
        section,
        key,
        environment: [`VORTEX__${section.toUpperCase()}__${key.toUpperCase()}`, ...(meta?.env ?? [])],
        default: showValue(defaults[key]),
        about: meta?.about ?? '',
      };
    });
  });
}

/** The effective configuration as text: secrets masked, and the password of every URL, secret or not. */
export function maskSecrets(config: Record<string, unknown>): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(config).map(([section, fields]) => {
      const shown = Object.entries(fields as Record<string, unknown>).map(([key, value]) => {
        if (typeof value !== 'string') return [key, value];
        return [key, isSecret(section, key) ? maskValue(value) : (maskedUrl(value) ?? value)];
      });
      return [section, Object.fromEntries(shown)];
    }),
  );
}

/** Shorter ones are no secrets, and would be masked out of half the words of a log. */
const shortestSecret = 4;

/** What must not be written anywhere, as it may stand in a message: secret values, and of URLs their passwords. */
export function secretValues(config: Record<string, unknown>): string[] {
  const found = Object.entries(config).flatMap(([section, fields]) =>
    Object.entries(fields as Record<string, unknown>).flatMap(([key, value]) => {
      if (typeof value !== 'string') return [];
      const url = URL.parse(value);
      if (url === null) return isSecret(section, key) ? [value] : [];
      return [url.password, decoded(url.password), url.searchParams.get('password') ?? ''];
    }),
  );
  return [...new Set(found)].filter((secret) => secret.length >= shortestSecret);
}

function maskValue(value: string): string {
  const url = URL.parse(value);
  return url === null ? '••••' : (maskedUrl(value) ?? shownUrl(url));
}

/** Null: there is no password in it. */
function maskedUrl(value: string): string | null {
  const url = URL.parse(value);
  if (url === null) return null;
  const inQuery = url.searchParams.has('password');
  if (url.password === '' && !inQuery) return null;
  if (url.password !== '') url.password = '••••';
  if (inQuery) url.searchParams.set('password', '••••');
  return shownUrl(url);
}

/** With the mask as it is written, and not as a URL spells it. */
function shownUrl(url: URL): string {
  return url.toString().replaceAll(encodeURIComponent('••••'), '••••');
}

/** As it is, where it holds a `%` that escapes nothing: that is no reason for a service not to start. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function showValue(value: unknown): string {
  return value === null ? '(none)' : typeof value === 'string' ? value : JSON.stringify(value);
}
