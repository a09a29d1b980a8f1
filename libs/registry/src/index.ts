export * from './registry.ts';
export { openSqliteRegistry } from './sqlite-registry.ts';
export * from './webhook-address.ts';
export * from './webhook-secret.ts';
