export { Chance } from './chance.ts';
export { type CorpusFile, readCorpus } from './corpus.ts';
export { type FuzzBudget, fuzzBudget } from './fuzz-budget.ts';
export { mutateBytes } from './mutate-bytes.ts';
export { mutateJson } from './mutate-json.ts';
export { mutateText, nastyTexts } from './mutate-text.ts';
