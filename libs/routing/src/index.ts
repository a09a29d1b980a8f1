export * from './least-loaded.ts';
export * from './policy.ts';
