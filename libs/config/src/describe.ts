import type { z } from 'zod';
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

/** The effective configuration as text for a log line: secrets masked, user names and passwords in URLs too. */
export function maskSecrets(config: Record<string, unknown>): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(config).map(([section, fields]) => {
      const shape: Record<string, z.ZodType> =
        section in sections ? sections[section as SectionName].shape : {};
      const shown = Object.entries(fields as Record<string, unknown>).map(([key, value]) => {
        const schema = shape[key];
        const secret = schema !== undefined && fieldMeta.get(schema)?.secret === true;
        return [key, secret && typeof value === 'string' ? maskValue(value) : value];
      });
      return [section, Object.fromEntries(shown)];
    }),
  );
}

function maskValue(value: string): string {
  const url = URL.parse(value);
  if (url === null) return '••••';
  if (url.password !== '') url.password = '••••';
  return decodeURI(url.toString());
}

function showValue(value: unknown): string {
  return value === null ? '(none)' : typeof value === 'string' ? value : JSON.stringify(value);
}
