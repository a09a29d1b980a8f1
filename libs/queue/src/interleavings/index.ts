export { QueueModel } from './model.ts';
export { type InterleavingsReport, runInterleavings } from './run-interleavings.ts';
