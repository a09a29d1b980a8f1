import type { z } from 'zod';
import { fieldMeta, type SectionName, sections } from './sections.ts';

/** Whether a setting's value must be shown to nobody; false for a setting that there is not. */
export function isSecret(section: string | undefined, key: string | undefined): boolean {
  if (section === undefined || key === undefined || !(section in sections)) return false;
  const shape: Record<string, z.ZodType> = sections[section as SectionName].shape;
  const schema = shape[key];
  return schema !== undefined && fieldMeta.get(schema)?.secret === true;
}
