export { elementOf } from './admission-gatherer.ts';
export { type Beat, type BeatReplica, defaultBeatMs, defaultLeaseMs, startBeat } from './beat.ts';
export { type CancelFeed, createCancelFeed } from './cancel-feed.ts';
export { type Caretaker, type CaretakerEvent, type CaretakerOptions, startCaretaker } from './caretaker.ts';
export { connect, type QueueLog, type RedisOptions, type Role } from './connect.ts';
export {
  type Consumer,
  type ConsumerEvent,
  type ConsumerOptions,
  createConsumer,
  type Delivery,
} from './consumer.ts';
export {
  type DeadLetter,
  deadLetterId,
  deadLetterText,
  elementOfLetter,
  readDeadLetter,
} from './dead-letter.ts';
export {
  createDeadLetters,
  type DeadLetters,
  type FoundLetter,
  type RedriveOrder,
  type RedriveWord,
} from './dead-letters.ts';
export {
  addTry,
  bareId,
  changeHeader,
  derivedId,
  type ElementHeader,
  headerOf,
  holdsIds,
  parseObject,
  readElementHeader,
} from './element.ts';
export { isRefusal, QueueFull, QueueUnavailable } from './errors.ts';
export { type Failure, failureFields, failureText } from './failure-text.ts';
export {
  type BreakerView,
  createInspector,
  type MemoryState,
  type QueueInspector,
  type QueueState,
  type ReplicaState,
} from './inspector.ts';
export { keys, type Lane, readWorkerMember, returnList, workerId, workerMember } from './keys.ts';
export {
  createLiveView,
  firstFields,
  type JobOwner,
  type LiveView,
  type ShownProgress,
} from './live-view.ts';
export { maxElementNesting, nestsTooDeep } from './nesting.ts';
export { createRedisObserver, type RedisObserver } from './observe-redis.ts';
export { checkRedis, type RedisVerdict } from './redis-check.ts';
export {
  type BreakerRules,
  type BreakerState,
  defaultBreakerRules,
  type ReplicaNotes,
  type ReplicaVerdict,
  reportReplica,
} from './replica-report.ts';
export {
  createRequestLimits,
  createTokenCharges,
  type LimitedQuery,
  type LimitName,
  type LimitState,
  type LimitVerdict,
  memberOf,
  type Refusal,
  type RequestBounds,
  type RequestLimits,
  type TokenCharges,
} from './request-limits.ts';
export {
  type Reply,
  runScript,
  type ScriptName,
  scriptNames,
  scriptTable,
  scriptText,
  texts,
  word,
  words,
} from './scripts.ts';
export type { BuryOrder, FinishOrder, RetryOrder, SettleWord } from './settler.ts';
export {
  createSubmitter,
  type ReplicaCandidate,
  type SubmitOptions,
  type SubmittedJob,
  type Submitter,
  type SubmitterOptions,
  type TrackedAs,
} from './submitter.ts';
