export * from './acceptance.ts';
export * from './jobs.ts';
export { openRegistry, type RegistryOptions } from './open-registry.ts';
export * from './records.ts';
export type { Registry } from './registry.ts';
export * from './registry-failures.ts';
export { openSqliteRegistry } from './sqlite-registry.ts';
export * from './webhooks.ts';
