export * from './errors.ts';
export * from './exact-search.ts';
export * from './lancedb-store.ts';
export * from './open-vector-store.ts';
export * from './qdrant-store.ts';
export * from './row-id.ts';
export * from './vector-store.ts';
