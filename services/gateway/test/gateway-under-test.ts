import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cache, noCache } from '@vortex/cache';
import type { AuthMode } from '@vortex/config';
import {
  type Answer,
  type AnswerFrame,
  type AnswerFrameBody,
  type FailureCode,
  stages,
} from '@vortex/contracts';
import { type ContentStore, createContentStore, incomingFolder } from '@vortex/documents';
import { catalogueModel, defaultModel } from '@vortex/embedding';
import { createMetrics, type Logger, type Metrics, silentLogger, type Tracing } from '@vortex/observability';
import type {
  BreakerView,
  Lane,
  QueueInspector,
  ReplicaState,
  SubmitOptions,
  SubmittedJob,
  Submitter,
} from '@vortex/queue';
import { openSqliteRegistry, type Registry, readWebhookRules } from '@vortex/registry';
import { onTestFinished } from 'vitest';
import { createGatekeeper } from '../src/access/gatekeeper.ts';
import { type Keyring, openKeyring } from '../src/access/keyring.ts';
import { createDoor } from '../src/admission/door.ts';
import { createApp, type GatewayApp } from '../src/app.ts';
import { createJobWatch } from '../src/jobs/job-watch.ts';
import { createReplicaSnapshot } from '../src/replica-snapshot.ts';
import { type GatewayServer, type ServerOptions, startServer } from '../src/server.ts';
import { createBrowserPolicy } from '../src/transport/browser-policy.ts';
import { MemoryExplain } from './memory-explain.ts';
import { ScriptedDeadLetters } from './scripted-dead-letters.ts';
import { ScriptedLimits } from './scripted-limits.ts';

// One piece: the gateway and what stands for each of its dependencies.

/**
 * The app with a real registry and text store in a temporary folder, and a queue port that the test scripts:
 * these tests are about HTTP shapes. What the queue really does is in `gateway.redis.test.ts`.
 */
export interface GatewayUnderTest {
  app: GatewayApp;
  explain: MemoryExplain;
  queue: ScriptedQueue;
  deadLetters: ScriptedDeadLetters;
  limits: ScriptedLimits;
  registry: Registry;
  pepper: Buffer;
  keyring: Pick<Keyring, 'refresh'>;
  texts: ContentStore;
  originals: ContentStore;
  /** The folder of arriving files, and of all there is. */
  incomingDir: string;
  folder: string;
  metrics: Metrics;
  drain(): void;
  serve(options?: Partial<ServerOptions>): Promise<GatewayServer>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

export async function gatewayUnderTest(
  settings: Partial<Parameters<typeof createApp>[0]['settings']> = {},
  log: Logger = silentLogger,
  cache: Cache = noCache,
  authMode: AuthMode = 'auto',
  tracing?: Tracing,
): Promise<GatewayUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'vortex-gateway-'));
  const registry = openSqliteRegistry({ file: join(folder, 'registry.db') });
  const texts = createContentStore(join(folder, 'texts'));
  const originals = createContentStore(join(folder, 'originals'));
  const incomingDir = incomingFolder(join(folder, 'originals'));
  const queue = new ScriptedQueue();
  const explain = new MemoryExplain();
  const limits = new ScriptedLimits();
  const deadLetters = new ScriptedDeadLetters();
  const replicas = createReplicaSnapshot({ inspector: queue, log: silentLogger });
  await replicas.refresh();
  const watch = createJobWatch({ registry, inspector: queue, log: silentLogger, tickMs: 5 });
  onTestFinished(async () => {
    await watch.close();
    await keyring.close();
    replicas.close();
    await registry.close();
    await rm(folder, { recursive: true });
  });
  const pepper = Buffer.alloc(32, 7);
  const keyring = await openKeyring({ registry, log: silentLogger });
  let draining = false;
  const metrics = createMetrics('gateway');
  const app = createApp({
    settings: {
      query_timeout_ms: 60_000,
      max_live_queries: 1000,
      max_live_documents: 1000,
      max_body_bytes: 1024 * 1024,
      max_ingest_bytes: 4 * 1024 * 1024,
      max_upload_bytes: 16 * 1024 * 1024,
      max_upload_files: 5,
      max_query_characters: 8000,
      max_top_k: 200,
      max_filter_depth: 8,
      max_filter_conditions: 64,
      max_metadata_characters: 16 * 1024,
      max_batch_ids: 10_000,
      max_header_bytes: 16 * 1024,
      max_url_bytes: 8 * 1024,
      header_timeout_ms: 20_000,
      body_timeout_ms: 120_000,
      max_connections: 10_000,
      tls_cert_file: null,
      tls_key_file: null,
      hsts_max_age_s: 60,
      cors_origins: [],
      hosts: [],
      admin_host: '127.0.0.1',
      admin_port: 0,
      drain_grace_ms: 0,
      reuse_port: false,
      probe_host: '127.0.0.1',
      probe_port: 0,
      ...settings,
    },
    cache,
    answerTtlMs: 60_000,
    explain,
    explainQuestion: true,
    gatekeeper: createGatekeeper({ mode: authMode, keyring, pepper }),
    limits,
    mostTokens: { prompt: 2000, answer: 512 },
    keyring,
    pepper,
    submitter: queue,
    inspector: queue,
    deadLetters,
    registry,
    webhookRules: readWebhookRules(['127.0.0.1']),
    auditLogDays: 30,
    texts,
    originals,
    incomingDir,
    chunking: { strategy: 'structure', maxTokens: 256, overlapTokens: 32 },
    model: catalogueModel(defaultModel),
    watch,
    replicas,
    door: createDoor({ replicas }),
    metrics,
    log,
    ...(tracing && { tracing }),
    version: '1.2.3',
    browsers: createBrowserPolicy({
      corsOrigins: settings.cors_origins ?? [],
      hosts: settings.hosts ?? [],
      isLoopback: settings.hosts !== undefined,
      hstsMaxAgeS: null,
    }),
    isDraining: () => draining,
  });
  return {
    app,
    explain,
    queue,
    deadLetters,
    limits,
    registry,
    pepper,
    keyring,
    texts,
    originals,
    incomingDir,
    folder,
    metrics,
    drain: () => {
      draining = true;
    },
    async serve(options = {}) {
      const server = await startServer({ app, host: '127.0.0.1', port: 0, log: silentLogger, ...options });
      onTestFinished(() => server.stop(0));
      return server;
    },
    post: async (path, body, headers = {}) =>
      app.request(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
}

export const closedBreaker: BreakerView = {
  state: 'closed',
  failure_ratio: 0,
  trips: 0,
  probe_in_ms: null,
  cap: null,
  first_token_ms: null,
};

type Script = (job: SubmittedJob, options: SubmitOptions) => Promise<string>;

export class ScriptedQueue implements Submitter, QueueInspector {
  readonly name = 'gw_test';
  readonly submitted: SubmittedJob[] = [];
  readonly cancelled: string[] = [];
  readonly jobs = new Map<string, Record<string, string>>();
  /** Ids in the chain. */
  readonly live = new Set<string>();
  ready = true;
  /** False: Redis is frozen, which nobody has noticed yet. */
  answers = true;
  /** False: a submitted job's admission is not confirmed, as by a Redis that is frozen. */
  confirms = true;
  states: ReplicaState[] = [
    {
      url: 'http://r1',
      worker_name: 'llm_generator_1',
      load: 0,
      slots: 20,
      state: 'up',
      breaker: closedBreaker,
      silent_ms: 0,
    },
    {
      url: 'http://r2',
      worker_name: 'llm_generator_2',
      load: 2,
      slots: 20,
      state: 'up',
      breaker: closedBreaker,
      silent_ms: 0,
    },
  ];
  /** What happens to a submitted job; by default it is answered. */
  script: Script = async (job) => completed(job.id, resultFor(job));
  admit: (job: SubmittedJob) => Promise<void> = async () => {};

  async submit(job: SubmittedJob, options: SubmitOptions = {}): Promise<string> {
    this.submitted.push(job);
    if (this.confirms) options.onAdmitted?.();
    const aborted = new Promise<never>((_resolve, reject) => {
      options.signal?.addEventListener('abort', () => reject(new DOMException('gave up', 'AbortError')));
    });
    return Promise.race([this.script(job, options), aborted]);
  }
  async enqueue(job: SubmittedJob): Promise<void> {
    await this.admit(job);
    this.submitted.push(job);
    if (job.track !== undefined)
      this.jobs.set(job.id, { id: job.id, type: job.track.type, status: 'queued' });
  }
  async cancel(id: string): Promise<void> {
    this.cancelled.push(id);
  }
  async uncancel(id: string): Promise<void> {
    const place = this.cancelled.indexOf(id);
    if (place !== -1) this.cancelled.splice(place, 1);
  }
  readonly drains: [url: string, word: string][] = [];
  async drainReplica(url: string, word: 'DRAIN' | 'RESUME'): Promise<boolean> {
    this.drains.push([url, word]);
    const replica = this.states.find((one) => one.url === url);
    if (replica !== undefined) replica.state = word === 'DRAIN' ? 'draining' : 'up';
    return replica !== undefined;
  }
  async retryBudget(): Promise<number> {
    return 10;
  }
  async areLive(_lane: Lane, ids: readonly string[]): Promise<boolean[]> {
    return ids.map((id) => this.live.has(id));
  }
  isReady(): boolean {
    return this.ready;
  }
  waiting(): number {
    return 0;
  }
  async start(): Promise<void> {}
  async jobStatus(id: string): Promise<Record<string, string> | null> {
    return this.jobs.get(id) ?? null;
  }
  async jobOwner(id: string): Promise<{ tenant?: string; collection?: string } | null> {
    const fields = await this.jobStatus(id);
    if (fields === null) return null;
    const { tenant, collection } = fields;
    return { ...(tenant !== undefined && { tenant }), ...(collection !== undefined && { collection }) };
  }
  async completion(): Promise<string | null> {
    return null;
  }
  async openJobs(): Promise<number> {
    return 0;
  }
  async memory() {
    return { used_bytes: 0, max_bytes: null, full: false };
  }

  async queues(): Promise<never[]> {
    return [];
  }
  async deadLetters(): Promise<string[]> {
    return [];
  }
  async replicas(): Promise<ReplicaState[]> {
    return this.states;
  }
  async ping(): Promise<boolean> {
    return this.answers;
  }
  async close(): Promise<void> {}
}

const text = 'The retriever reads from job:retriever_in [1].';
const place = {
  document_id: 'doc_1',
  title: 'Flow',
  chunk_id: 'chk_1',
  heading_path: ['Lists'],
  page: null,
  source_span: [10, 40] as [number, number],
  excerpt: 'reads from job:retriever_in',
  score: 0.8,
};

export const sampleAnswer: Answer = {
  answered: true,
  answer: text,
  refusal: null,
  citations: [{ marker: 1, answer_span: [0, 45], ...place }],
  sources: [{ ...place, rank: 1, used_in_prompt: true }],
  worker: 'llm_generator_1',
  replica: 'http://r1',
  model: 'mock',
  collection: 'vortex-docs',
  degraded: [],
  usage: { prompt_tokens: 40, completion_tokens: 9 },
};

/** Of each stage that ends a job of the gateway's a result, and be it an empty one. */
export function resultFor(job: SubmittedJob): object {
  if (job.list === stages.chunks.list) return { chunks: [] };
  if (job.list === stages.audit.list) {
    const counts = { originals: 0, texts: 0, problem_count: 0 };
    return { clean: true, collections: [], problems: [], ...counts };
  }
  const hits = { hits: [], collection: 'c', mode: 'hybrid', degraded: [] };
  return envelopeOf(job).want === 'hits' ? hits : sampleAnswer;
}

export const pipelineTimings = {
  queue_encode: 0.4,
  encode: 3.1,
  queue_retrieve: 0.3,
  retrieve: 1.2,
  queue_generate: 0.2,
  first_token: 5,
  generate: 9,
};

export function completed(id: string, answer: object = sampleAnswer): string {
  return JSON.stringify({
    id,
    v: 1,
    attempt: 1,
    status: 'completed',
    timings_ms: pipelineTimings,
    ...answer,
  });
}

export function failed(id: string, code: FailureCode, message = 'it went wrong'): string {
  const status = code === 'deadline_exceeded' || code === 'cancelled' ? code : 'failed';
  const error = { code, message, stage: 'generate', retryable: false };
  return JSON.stringify({ id, v: 1, attempt: 1, status, timings_ms: { queue_encode: 2, encode: 4 }, error });
}

export function frame(
  id: string,
  body: AnswerFrameBody,
  run: { attempt?: number; redelivered?: number } = {},
): AnswerFrame {
  return { id, attempt: 1, redelivered: 0, ...run, ...body } as AnswerFrame;
}

export interface SseEvent {
  id: string | undefined;
  event: string | undefined;
  data: unknown;
}

/** Events of a finished stream; comments are left out. */
export function eventsIn(stream: string): SseEvent[] {
  return stream
    .split('\n\n')
    .filter((block) => block !== '' && !block.startsWith(':'))
    .map((block) => {
      const fields = new Map(
        block.split('\n').map((line) => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon), line.slice(colon + 1).trimStart()] as const;
        }),
      );
      const data = fields.get('data') ?? '';
      return {
        id: fields.get('id'),
        event: fields.get('event'),
        data: data === '[DONE]' ? data : JSON.parse(data),
      };
    });
}

/** What a submitted job says beside its body; nothing of a job that is a bare id. */
export function envelopeOf(job: SubmittedJob | undefined): Record<string, unknown> {
  return job === undefined || job.envelope === 'bare' ? {} : job.envelope;
}
