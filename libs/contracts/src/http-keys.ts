import { z } from 'zod';
import { collectionName } from './envelope.ts';
import { storedText } from './stored-text.ts';

/** Keys over HTTP: `/api/keys…`. A key belongs to a tenant; what it may do stands in its scopes. */

/** None contains another: a key that asks and uploads has both. */
export const keyScope = z.enum(['query', 'ingest', 'admin']);
export type KeyScope = z.infer<typeof keyScope>;

export const tenantName = z
  .string()
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/,
    'must be 1 to 64 letters, digits, dots, dashes or underscores, and start with a letter or digit',
  );

const limit = z.int().min(1).max(1_000_000_000_000);

/** Of one key, whichever gateway it comes to; absent: what the configuration says for all keys, if anything. */
export const keyLimits = z
  .strictObject({
    requests_per_minute: limit.max(10_000_000),
    /** As many may come at once; absent: a minute's worth. */
    burst: limit.max(10_000_000),
    /** Of prompts and answers together. Minutes and days (UTC) begin by the clock. */
    tokens_per_minute: limit,
    tokens_per_day: limit,
    /** Questions and searches that somebody waits for. */
    concurrent_queries: limit.max(100_000),
    /** What the key's tenant may have stored when this key adds to it. */
    documents: limit,
    bytes: limit,
  })
  .partial();
export type KeyLimits = z.infer<typeof keyLimits>;

/** As a key is given them; one of before this was asked may have a burst that bounds nothing. */
export const newKeyLimits = keyLimits.refine(
  ({ burst, requests_per_minute }) => burst === undefined || requests_per_minute !== undefined,
  { path: ['burst'], error: 'needs requests_per_minute: it says how many of these may come at once' },
);

export const createKeyRequest = z
  .strictObject({
    /** For people who read the list. */
    name: z.string().overwrite(storedText).min(1).max(100).optional(),
    /** Absent: the caller's own. Another one only with the authority of the machine. */
    tenant: tenantName.optional(),
    scopes: z.array(keyScope).min(1).max(3),
    /** Absent: all of the tenant's. */
    collections: z.array(collectionName).min(1).max(100).optional(),
    /** RFC 3339; absent: never. */
    expires_at: z.iso.datetime({ offset: true }).optional(),
    limits: newKeyLimits.optional(),
  })
  .refine(({ scopes, collections }) => collections === undefined || !scopes.includes('admin'), {
    path: ['collections'],
    message: 'cannot bound a key with the scope admin, which sees all of its tenant',
  });
export type CreateKeyRequest = z.infer<typeof createKeyRequest>;

export const defaultOverlapSeconds = 24 * 3600;

export const rotateKeyRequest = z.strictObject({
  /** How long the secret before this one still holds; 0: not at all. */
  overlap_s: z
    .int()
    .min(0)
    .max(30 * 24 * 3600)
    .default(defaultOverlapSeconds),
});
export type RotateKeyRequest = z.input<typeof rotateKeyRequest>;

export const keyState = z.enum(['active', 'expired', 'revoked']);
export type KeyState = z.infer<typeof keyState>;

export const keyResponse = z.object({
  id: z.string(),
  tenant: z.string(),
  name: z.string().nullable(),
  scopes: z.array(keyScope),
  collections: z.array(z.string()).nullable(),
  limits: keyLimits.nullable(),
  state: keyState,
  created_at: z.string(),
  expires_at: z.string().nullable(),
  rotated_at: z.string().nullable(),
  /** Until then the secret before the last rotation holds too. */
  overlap_until: z.string().nullable(),
  revoked_at: z.string().nullable(),
  /** To the minute. */
  last_used_at: z.string().nullable(),
});
export type KeyResponse = z.infer<typeof keyResponse>;

/** To its creation and its rotation only: nobody can show `key` again. */
export const keyWithSecret = keyResponse.extend({ key: z.string() });
export type KeyWithSecret = z.infer<typeof keyWithSecret>;

export const keyList = z.object({ keys: z.array(keyResponse) });
export type KeyList = z.infer<typeof keyList>;
