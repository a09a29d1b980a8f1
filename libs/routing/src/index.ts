export * from './least-loaded.ts';
export * from './policy.ts';
export { seededRandom } from './seeded-random.ts';
