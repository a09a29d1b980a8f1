import type { z } from 'zod';
import { secretFileNames } from './secret-files.ts';
import { fieldMeta, sections } from './sections.ts';
import { type ServiceName, settingsRead } from './services.ts';

/** Before there were URLs; read-config.ts makes one of them. */
export const redisAddressNames = ['REDIS_ADDR', 'REDIS_HOST', 'REDIS_PORT'];

/** Of an environment, the names by which a service's settings may be given; everything else is none of its business. */
export function environmentRead(
  service: ServiceName,
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const read = settingsRead(service);
  const names = new Set(read.has('redis') ? redisAddressNames : []);
  for (const [section, keys] of read) {
    const shape: Record<string, z.ZodType> = sections[section].shape;
    for (const key of keys) {
      const full = `VORTEX__${section}__${key}`.toUpperCase();
      const schema = shape[key];
      for (const name of [full, ...((schema && fieldMeta.get(schema)?.env) ?? [])]) names.add(name);
    }
  }
  for (const { section, key, name } of secretFileNames())
    if (read.get(section)?.includes(key)) names.add(name);
  return Object.fromEntries(
    // Sections and keys may be written in small letters, too (read-config.ts).
    Object.entries(environment).filter(([name]) => names.has(name) || names.has(name.toUpperCase())),
  );
}
