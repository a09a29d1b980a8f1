import type { ListPlace } from './records.ts';

/** The audit log: what administrators did, and whoever removed something. Only added to; it ends by age. */
export interface AuditRegistry {
  recordAdminAct(act: NewAdminAct): Promise<void>;
  /** Newest first, at most `limit`, behind `after`. */
  listAdminActs(tenant: string, page?: { after?: ListPlace; limit?: number }): Promise<AdminAct[]>;
  /** Of all tenants. */
  forgetAdminActs(createdBefore: number): Promise<number>;
}

export interface NewAdminAct {
  tenant: string;
  /** Null: nobody had to show a key. `local`: with the authority of the machine. */
  keyId: string | null;
  /** Method and route template: `DELETE /api/collections/{name}`. */
  act: string;
  /** The path that was asked for, or that of what was made. */
  target: string;
  status: number;
  requestId: string;
}

export interface AdminAct extends NewAdminAct {
  id: string;
  createdAt: number;
}
