export * from './registry.ts';
export { openSqliteRegistry } from './sqlite-registry.ts';
