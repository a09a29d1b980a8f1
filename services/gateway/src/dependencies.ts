import type { Cache, ExplainStore } from '@vortex/cache';
import type { ServiceConfig } from '@vortex/config';
import type { ChunkSettings, ContentStore } from '@vortex/documents';
import type { CatalogueModel } from '@vortex/embedding';
import type { Logger, Metrics, Tracing } from '@vortex/observability';
import type { DeadLetters, QueueInspector, RequestLimits, Submitter } from '@vortex/queue';
import type { Registry, WebhookRules } from '@vortex/registry';
import type { WaitingRoom } from './accept/waiting-room.ts';
import type { Gatekeeper } from './access/gatekeeper.ts';
import type { Keyring } from './access/keyring.ts';
import type { QuestionIds } from './access/question-id.ts';
import type { Door } from './admission/door.ts';
import type { AnswerCache } from './answer-cache.ts';
import type { RequestNotes } from './explain/note-request.ts';
import type { JobWatch } from './jobs/job-watch.ts';
import type { QueryMeter } from './query-meter.ts';
import type { AuditTrail } from './records/audit-trail.ts';
import type { ReplicaSnapshot } from './replica-snapshot.ts';
import type { SharedJobs } from './shared-jobs.ts';
import type { BrowserPolicy } from './transport/browser-policy.ts';

/** What the routes are made of; `main.ts` gives the real things, tests give what the test is about. */
export interface GatewayDependencies {
  settings: ServiceConfig<'gateway'>['gateway'];
  /** Of answers; the pipeline's stages have their own. */
  cache: Cache;
  answerTtlMs: number;
  explain: ExplainStore;
  /** Whether a query's story tells what was asked. */
  explainQuestion: boolean;
  gatekeeper: Gatekeeper;
  limits: RequestLimits;
  /** What a question can cost. */
  mostTokens: { prompt: number; answer: number };
  keyring: Pick<Keyring, 'refresh'>;
  /** What secrets of keys are hashed with. */
  pepper: Buffer;
  submitter: Submitter;
  inspector: QueueInspector;
  deadLetters: DeadLetters;
  registry: Registry;
  /** Where webhooks may be sent; an address they refuse by its form is refused when it is given. */
  webhookRules: WebhookRules;
  auditLogDays: number;
  originals: ContentStore;
  texts: Pick<ContentStore, 'pathOf'>;
  /** Where files are written while they arrive; on the file system of `originals`. */
  incomingDir: string;
  /** What documents are chunked by when neither request nor collection says. */
  chunking: ChunkSettings;
  /** The encoder's. */
  model: CatalogueModel;
  watch: JobWatch;
  replicas: ReplicaSnapshot;
  door: Door;
  metrics: Metrics;
  /** Off when absent. */
  tracing?: Tracing;
  log: Logger;
  version: string;
  /** What web pages may do here. */
  browsers: BrowserPolicy;
  /** True from SIGTERM on: readiness is off, open requests finish. */
  isDraining(): boolean;
}

/** The dependencies with what the app makes of them once. */
export interface GatewayParts extends GatewayDependencies {
  questionIds: QuestionIds;
  meter: QueryMeter;
  answers: AnswerCache;
  notes: RequestNotes;
  sharedJobs: SharedJobs;
  waitingRoom: WaitingRoom;
  adminPort: number;
  audit: AuditTrail;
}
