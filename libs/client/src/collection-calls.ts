import {
  type CollectionDeleted,
  type CollectionList,
  type CollectionResponse,
  type CreateCollectionRequest,
  collectionDeleted,
  collectionList,
  collectionResponse,
  type UpdateCollectionRequest,
} from '@vortex/contracts';
import type { CallOptions, Transport } from './transport.ts';

/** `/api/collections…` */
export interface CollectionCalls {
  list(call?: CallOptions): Promise<CollectionList>;
  get(name: string, call?: CallOptions): Promise<CollectionResponse>;
  create(request: CreateCollectionRequest, call?: CallOptions): Promise<CollectionResponse>;
  update(name: string, request: UpdateCollectionRequest, call?: CallOptions): Promise<CollectionResponse>;
  /** With all its documents. */
  delete(name: string, call?: CallOptions): Promise<CollectionDeleted>;
}

export function collectionCalls(transport: Transport): CollectionCalls {
  const pathOf = (name: string) => `/api/collections/${encodeURIComponent(name)}`;
  return {
    list: (call = {}) => transport.json(collectionList, '/api/collections', call),
    get: (name, call = {}) => transport.json(collectionResponse, pathOf(name), call),
    create: (request, call = {}) =>
      transport.json(collectionResponse, '/api/collections', { ...call, body: request }),
    update: (name, request, call = {}) =>
      transport.json(collectionResponse, pathOf(name), { ...call, method: 'PATCH', body: request }),
    delete: (name, call = {}) =>
      transport.json(collectionDeleted, pathOf(name), { ...call, method: 'DELETE' }),
  };
}
