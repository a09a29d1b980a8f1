export * from './errors.ts';
export * from './open-vector-store.ts';
export { versionKey } from './row-id.ts';
export * from './vector-store.ts';
