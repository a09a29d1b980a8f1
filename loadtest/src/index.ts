export { main } from './command/main.ts';
export type { LiveView, RunSnapshot } from './live-view.ts';
export { type Outcome, outcomes, type Sample, sample, timesOf } from './sample-schema.ts';
export { type Summary, summary } from './summary-schema.ts';
