export { type CallLimits, callLimits } from './call-limits.ts';
export type { JobError, JobSource, ResolvedJob } from './job-source.ts';
export { medianOf } from './median.ts';
export { createReleaseStack, type ReleaseStack } from './release-stack.ts';
export { type CallEnd, createReplicaHealth, type ModelCall, type ReplicaHealth } from './replica-health.ts';
export { type RunningStages, type RunStagesOptions, runStages } from './run-stages.ts';
export type { LaneOf, NoteExplained, StageContext, StageHandler } from './stage-handler.ts';
