import { defaultTenant, type KeyLimits, keyScope, type KeyScope as Scope } from '@vortex/contracts';

/** What a route asks of its caller: nothing, one scope, or any one of several. */
export type Access = 'open' | Scope | readonly Scope[];

/** For what the owners of questions and of documents both look at. */
export const queryOrIngest: readonly Scope[] = ['query', 'ingest'];

/**
 * Who a request comes from. Made once, before its route runs; the tenant that everything is read and written for
 * is taken from here and from nowhere else.
 */
export interface Caller {
  readonly tenant: string;
  /** Null: no key was needed, and none given. */
  readonly keyId: string | null;
  readonly scopes: ReadonlySet<Scope>;
  /** Null: all of the tenant's. */
  readonly collections: readonly string[] | null;
  /** Null: none. */
  readonly limits: KeyLimits | null;
  /** Acts with the authority of the machine: makes and ends keys of every tenant. */
  readonly isLocal: boolean;
}

/** Of an instance that asks for no key: its one tenant, with every right. */
export const openCaller: Caller = {
  tenant: defaultTenant,
  keyId: null,
  scopes: new Set(keyScope.options),
  collections: null,
  limits: null,
  isLocal: true,
};

export function mayUse(caller: Caller, access: Access): boolean {
  if (access === 'open') return true;
  if (typeof access === 'string') return caller.scopes.has(access);
  return access.some((scope) => caller.scopes.has(scope));
}
