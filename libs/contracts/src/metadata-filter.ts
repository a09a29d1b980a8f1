import { z } from 'zod';
import { storedText } from './stored-text.ts';

/**
 * A condition on a document's metadata: one comparison, or several joined by `all`, `any`, `not`. `field`
 * is a key, or a path into nested objects with dots. A field that is a list fits when one of its entries does
 * (`ne` and `not` when none does). Values of another type than the condition's never fit; only `ne` and `not` do.
 */
export type MetadataFilter =
  | { field: string; op: 'eq' | 'ne'; value: string | number | boolean | null }
  | { field: string; op: 'in'; value: (string | number | boolean)[] }
  | { field: string; op: 'gt' | 'gte' | 'lt' | 'lte'; value: string | number }
  | { field: string; op: 'exists'; value?: boolean | undefined }
  | { all: MetadataFilter[] }
  | { any: MetadataFilter[] }
  | { not: MetadataFilter };

export const maxFilterDepth = 8;
export const maxFilterConditions = 64;

// Metadata is kept without what nobody sees, and compared with the same.
const text = z.string().overwrite(storedText).max(1000);
const field = z.string().overwrite(storedText).min(1).max(200);
const scalar = z.union([text, z.number(), z.boolean()]);

const node: z.ZodType<MetadataFilter> = z.lazy(() =>
  z.union([
    z.strictObject({ field, op: z.enum(['eq', 'ne']), value: scalar.nullable() }),
    z.strictObject({ field, op: z.literal('in'), value: z.array(scalar).min(1).max(1000) }),
    z.strictObject({
      field,
      op: z.enum(['gt', 'gte', 'lt', 'lte']),
      value: z.union([text, z.number()]),
    }),
    z.strictObject({ field, op: z.literal('exists'), value: z.boolean().optional() }),
    z.strictObject({ all: z.array(node).min(1) }),
    z.strictObject({ any: z.array(node).min(1) }),
    z.strictObject({ not: node }),
  ]),
);

/** Measured before it is parsed: the schema descends once per level, and a hostile filter has thousands. */
export const metadataFilter: z.ZodType<MetadataFilter, unknown> = z
  .unknown()
  .superRefine((value, context) => {
    const { depth, conditions } = sizeOf(value, 1);
    if (depth > maxFilterDepth || conditions > maxFilterConditions) {
      context.addIssue({
        code: 'custom',
        message: `must nest at most ${maxFilterDepth} levels and have at most ${maxFilterConditions} conditions`,
      });
    }
  })
  .pipe(node);

/** Levels and conditions of a filter that fits the schema. */
export function filterSize(filter: MetadataFilter): { depth: number; conditions: number } {
  return sizeOf(filter, 1);
}

function sizeOf(value: unknown, level: number): { depth: number; conditions: number } {
  if (level > maxFilterDepth || typeof value !== 'object' || value === null) {
    return { depth: level, conditions: 1 };
  }
  const { all, any, not } = value as Record<string, unknown>;
  const below = [all, any].flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []));
  if (not !== undefined) below.push(not);
  let depth = level;
  let conditions = below.length === 0 ? 1 : 0;
  for (const inner of below) {
    const size = sizeOf(inner, level + 1);
    depth = Math.max(depth, size.depth);
    conditions += size.conditions;
    if (conditions > maxFilterConditions) break;
  }
  return { depth, conditions };
}

export function matchesFilter(metadata: Readonly<Record<string, unknown>>, filter: MetadataFilter): boolean {
  if ('all' in filter) return filter.all.every((inner) => matchesFilter(metadata, inner));
  if ('any' in filter) return filter.any.some((inner) => matchesFilter(metadata, inner));
  if ('not' in filter) return !matchesFilter(metadata, filter.not);
  const found = valueAt(metadata, filter.field);
  const entries = Array.isArray(found) ? (found as unknown[]) : [found];
  switch (filter.op) {
    case 'exists':
      return (found !== undefined && found !== null) === (filter.value ?? true);
    case 'eq':
      return entries.some((entry) => (entry ?? null) === filter.value);
    case 'ne':
      return !entries.some((entry) => (entry ?? null) === filter.value);
    case 'in':
      return entries.some((entry) => (filter.value as unknown[]).includes(entry));
    default: {
      const { op, value } = filter;
      return entries.some((entry) => isOrdered(entry, op, value));
    }
  }
}

function isOrdered(entry: unknown, op: 'gt' | 'gte' | 'lt' | 'lte', value: string | number): boolean {
  if (typeof entry !== typeof value) return false;
  const left = entry as string | number;
  if (op === 'gt') return left > value;
  if (op === 'gte') return left >= value;
  return op === 'lt' ? left < value : left <= value;
}

/** The whole name first: a key may itself have dots. */
function valueAt(metadata: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(metadata, path)) return metadata[path];
  let value: unknown = metadata;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
