import {
  type CreateKeyRequest,
  type KeyList,
  type KeyResponse,
  type KeyWithSecret,
  keyList,
  keyResponse,
  keyWithSecret,
  type RotateKeyRequest,
} from '@vortex/contracts';
import type { CallOptions, Transport } from './transport.ts';

/** `/api/keys…` */
export interface KeyCalls {
  /** `key` is in this answer only. */
  create(request: CreateKeyRequest, call?: CallOptions): Promise<KeyWithSecret>;
  list(call?: CallOptions): Promise<KeyList>;
  get(id: string, call?: CallOptions): Promise<KeyResponse>;
  /** The secret before it holds for an overlap; `key` is in this answer only. */
  rotate(id: string, request?: RotateKeyRequest, call?: CallOptions): Promise<KeyWithSecret>;
  revoke(id: string, call?: CallOptions): Promise<void>;
}

export function keyCalls(transport: Transport): KeyCalls {
  const pathOf = (id: string) => `/api/keys/${encodeURIComponent(id)}`;
  return {
    create: (request, call = {}) => transport.json(keyWithSecret, '/api/keys', { ...call, body: request }),
    list: (call = {}) => transport.json(keyList, '/api/keys', call),
    get: (id, call = {}) => transport.json(keyResponse, pathOf(id), call),
    rotate: (id, request = {}, call = {}) =>
      transport.json(keyWithSecret, `${pathOf(id)}/rotate`, { ...call, body: request }),
    revoke: async (id, call = {}) => void (await transport.send(pathOf(id), { ...call, method: 'DELETE' })),
  };
}
