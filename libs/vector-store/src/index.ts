export * from './errors.ts';
export { lexicalTerms, searchedText } from './lexical-terms.ts';
export * from './open-vector-store.ts';
export { rowId, versionKey } from './row-id.ts';
export * from './vector-store.ts';
