import { z } from 'zod';

/** `GET /api/audit-log`: what administrators did, and whoever removed something. */
export const adminAct = z.object({
  id: z.string(),
  at: z.string(),
  tenant: z.string(),
  /** Null: no key was needed. `local`: with the authority of the machine. */
  key_id: z.string().nullable(),
  /** Method and route template. */
  act: z.string(),
  /** The path that was asked for, or that of what was made. */
  target: z.string(),
  status: z.int(),
  request_id: z.string(),
});
export const adminActPage = z.object({
  acts: z.array(adminAct),
  /** Given as `after` it brings the next page; null on the last one. */
  next: z.string().nullable(),
});
export type AdminActPage = z.infer<typeof adminActPage>;
