import type { z } from 'zod';
import type { Answer, Hits } from './answer.ts';
import type { JobHeader } from './envelope.ts';
import type { FailureCode } from './failure.ts';
import { type IngestResult, ingestInput, uploadInput } from './ingest/1-document.ts';
import { embedInput, type StoreResult, storeInput } from './ingest/2-embed.ts';
import { type AuditReport, auditInput } from './ingest/3-audit.ts';
import { encodeInput } from './query/1-encode.ts';
import { retrieveInput } from './query/2-retrieve.ts';
import { generateInput } from './query/3-generate.ts';
import { type ChunksPage, chunksInput } from './query/4-chunks.ts';

/**
 * THE MAP. A stage, its list, what may be put on it, how long and how often it may be tried, and where
 * it may forward to are written here and nowhere else; services, admission, reaper, status, docs and
 * dashboards derive from it.
 *
 *   query:   encode ──► retrieve ──► generate          (retrieve may end early: refusal, or ranked hits)
 *   ingest:  ingest ──► upload  (parses, chunks, then sends groups down:)  embed ──► store
 *   reading: chunks (a page of a document, from the store's owner)
 *   audit:   audit  (the store's owner compares it with the registry)
 *
 * `embed` and `store` are the low lanes of the encoder and the retriever. A lane has slots of its own,
 * so documents never take a question's place in a worker.
 */
export const stages = {
  encode: {
    list: 'job:encoder_in',
    input: encodeInput,
    next: ['retrieve'],
    lane: 'interactive',
    budgetMs: 15_000,
    maxAttempts: 3,
  },
  retrieve: {
    list: 'job:retriever_in',
    input: retrieveInput,
    next: ['generate'],
    lane: 'interactive',
    budgetMs: 15_000,
    maxAttempts: 3,
  },
  generate: {
    list: 'job:llm_in',
    input: generateInput,
    next: [],
    lane: 'interactive',
    budgetMs: 300_000,
    maxAttempts: 3,
  },
  ingest: {
    list: 'ingestion_queue',
    input: ingestInput,
    next: ['upload'],
    lane: 'low',
    budgetMs: 120_000,
    maxAttempts: 5,
    idFromBytes: true,
  },
  upload: {
    list: 'queue:document_upload',
    input: uploadInput,
    next: [],
    lane: 'low',
    budgetMs: 24 * 3_600_000,
    maxAttempts: 5,
    elements: 'ids',
  },
  embed: {
    list: 'job:encoder_in:low',
    input: embedInput,
    next: ['store'],
    lane: 'low',
    budgetMs: 120_000,
    maxAttempts: 5,
  },
  store: {
    list: 'job:retriever_in:low',
    input: storeInput,
    next: [],
    lane: 'low',
    budgetMs: 120_000,
    maxAttempts: 5,
  },
  chunks: {
    list: 'job:retriever_chunks',
    input: chunksInput,
    next: [],
    lane: 'interactive',
    budgetMs: 15_000,
    maxAttempts: 3,
  },
  audit: {
    list: 'job:retriever_audit',
    input: auditInput,
    next: [],
    lane: 'low',
    budgetMs: 3_600_000,
    maxAttempts: 1,
  },
} as const satisfies Record<string, StageRow>;

export interface StageRow {
  list: string;
  input: z.ZodType;
  next: readonly string[];
  lane: 'interactive' | 'low';
  /** A handler that runs longer is aborted and the job retried. */
  budgetMs: number;
  /** Runs after failures of our own making (a throw); redeliveries after a death are counted apart. */
  maxAttempts: number;
  /** An envelope without `id` gets one derived from its bytes, so that a redelivery keeps it. */
  idFromBytes?: boolean;
  /**
   * The list's elements are bare job ids, not envelopes: what the job is stands in the registry, which
   * also counts its tries and deliveries.
   */
  elements?: 'ids';
}

export type StageName = keyof typeof stages;
export const stageNames = Object.keys(stages) as StageName[];

export type InputOf<S extends StageName> = z.infer<(typeof stages)[S]['input']>;
type NextOf<S extends StageName> = (typeof stages)[S]['next'][number];

/** What a finished job of a stage says; the value of `job:completion:<id>` is this plus the completion header. */
interface Results {
  encode: never;
  retrieve: Answer | Hits;
  generate: Answer;
  ingest: IngestResult;
  upload: IngestResult;
  embed: never;
  store: StoreResult;
  chunks: ChunksPage;
  audit: AuditReport;
}

/** The runtime carries the header (id, deadline, tenant, timings …) from stage to stage; a stage gives the rest. */
type PayloadOf<S extends StageName> = Omit<z.input<(typeof stages)[S]['input']>, HeaderField>;
type HeaderField = keyof JobHeader;

type ForwardOf<S extends StageName> = {
  [N in NextOf<S>]: { kind: 'forward'; to: N; payload: PayloadOf<N> };
}[NextOf<S>];

/**
 * What a stage decides; the runtime carries it out in one script.
 * `reject` is permanent: dead list, and an error completion. `later` is "not now": it uses up no attempt
 * and is bounded by the deadline. A throw is "unexpected": retried with backoff while attempts remain.
 */
export type Outcome<S extends StageName> =
  | ForwardOf<S>
  | { kind: 'done'; result: Results[S] }
  | { kind: 'reject'; code: FailureCode; reason: string }
  | { kind: 'later'; afterMs: number; reason: string };

/** Deliveries without an end after which a job is taken for poison: it has killed its worker that often. */
export const maxDeliveries = 3;

/** Given to envelopes that bring no deadline (pushed by hand). */
export const defaultDeadlineMs = { interactive: 60_000, low: 24 * 3_600_000 } as const;

/** How long an id may wait in a list of ids before Redis forgets that it is there; a run's own deadline counts from its claim. */
export const idsWaitMs = 7 * 24 * 3_600_000;

/** Elements larger than this are dead letters unread; raw bytes in a dead letter are cut to `maxDeadBytes`. */
export const maxElementBytes = { interactive: 1024 * 1024, low: 64 * 1024 * 1024 } as const;
export const maxDeadBytes = 64 * 1024;

/** Where a generate job goes: its replica's own list, or the shared one that any free replica pulls from. */
export function generatorList(workerName: string | undefined): string {
  return workerName === undefined ? stages.generate.list : `${stages.generate.list}:${workerName}`;
}

/** Where generate jobs of the class `batch` wait; no replica may be called `low`. */
export const batchGeneratorList = `${stages.generate.list}:low`;

/**
 * Where questions of the class `batch` wait, stage by stage. The encoder and the retriever give them a lane of their own,
 * with `batchSlots`: of a tenant's five hundred none stands before a question that somebody waits for, and none starves.
 */
export const batchLists = {
  encode: `${stages.encode.list}:batch`,
  retrieve: `${stages.retrieve.list}:batch`,
  generate: batchGeneratorList,
} as const satisfies { [Stage in StageName]?: string };

/** Of an encoder or a retriever. One at a time is some two hundred a second, and all that a question can find before it. */
export const batchSlots = 1;

/** Null: nothing of this class comes to that stage. */
export function batchListOf(stage: StageName): string | null {
  return stage in batchLists ? batchLists[stage as keyof typeof batchLists] : null;
}

/** Of its slots, a generator gives so many to batch jobs, and the chain so much of its cap: the rest is for who waits. */
export const batchCeiling = 0.7;

/** The batch jobs' part of so many slots, or of a cap: one at least. */
export function batchPart(whole: number): number {
  return Math.max(1, Math.floor(batchCeiling * whole));
}

/** The stage that reads a list (replicas' own and those of batch jobs too); null for a list of nobody's. */
export function stageOfList(list: string): StageName | null {
  if (list.startsWith(`${stages.generate.list}:`)) return 'generate';
  return stageNames.find((stage) => stages[stage].list === list || batchListOf(stage) === list) ?? null;
}
