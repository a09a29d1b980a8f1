import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import type { ConfigProblem } from './read-config.ts';
import { fieldMeta, type SectionName, sections } from './sections.ts';
import type { SettingsRead } from './services.ts';

/**
 * A secret may be given as a file: `REDIS_URL_FILE=/run/secrets/redis_url` stands for `REDIS_URL`, and so for
 * every name of every secret setting. An environment is seen by whoever may inspect the container or read
 * `/proc`; a mounted file by the service alone. An empty file is no value, so that a stack can mount an optional key.
 *
 * @returns the environment with the contents in place of the file names; other sections' files are not opened.
 */
export function readSecretFiles(
  wanted: SettingsRead,
  env: NodeJS.ProcessEnv,
  problems: ConfigProblem[],
): NodeJS.ProcessEnv {
  const resolved = { ...env };
  for (const { section, key, name } of secretNames()) {
    const origin = `${name}_FILE`;
    const file = env[origin];
    delete resolved[origin];
    if (file === undefined || file === '' || wanted.get(section)?.includes(key) !== true) continue;
    const path = `${section}.${key}`;
    if (env[name]) {
      problems.push({ origin, path, message: `is given twice: ${name} is set as well` });
      continue;
    }
    try {
      resolved[name] = readFileSync(file, 'utf8').trim();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      problems.push({ origin, path, message: `its file ${file} cannot be read (${code})` });
    }
  }
  return resolved;
}

/** Of the files that stand for secrets. */
export function secretFileNames(): { section: SectionName; key: string; name: string }[] {
  return secretNames().map((secret) => ({ ...secret, name: `${secret.name}_FILE` }));
}

function secretNames(): { section: SectionName; key: string; name: string }[] {
  return (Object.keys(sections) as SectionName[]).flatMap((section) =>
    Object.entries(sections[section].shape).flatMap(([key, schema]) => {
      const meta = fieldMeta.get(schema as z.ZodType);
      if (meta?.secret !== true) return [];
      const full = `VORTEX__${section.toUpperCase()}__${key.toUpperCase()}`;
      return [...(meta.env ?? []), full].map((name) => ({ section, key, name }));
    }),
  );
}
