import './no-telemetry.ts';
import { Worker } from 'node:worker_threads';
import type { Logger } from '@vortex/observability';
import {
  type Embedder,
  EmbedderClosed,
  type Embedding,
  EmbeddingFailed,
  type EmbedOptions,
  type Priority,
} from './embedder.ts';
import type { ThreadReply, ThreadRequest, ThreadSettings } from './inference-thread.ts';
import { LaneQueue } from './lane-queue.ts';
import type { ModelFiles } from './models/model-files.ts';

/**
 * The embedder of this house: a queue in front of a few worker threads, each with a model of its own.
 *
 * A text is WAITING (in the lane queue) → HELD by a thread → settled. A thread holds at most three texts: the
 * one it computes and, so that it need not wait for this process's main loop between two questions of a
 * millisecond each, two more questions. A low text is handed only to a thread that holds nothing, and
 * nothing is put behind it: a question that arrives while documents are embedded waits for at most one text.
 *
 * A thread is STARTING → READY → GONE. When one goes without being told to, what it held is given back to
 * the front of its lane and a new thread is started; a text that was held by two threads that died fails,
 * the others were bystanders at worst once. An aborted text leaves the queue; if a thread computes it
 * already, its answer is dropped.
 */
export interface ThreadEmbedderOptions {
  files: ModelFiles;
  /** Worker threads; each takes about 100 MB with MiniLM. */
  threads: number;
  /** Cores one inference may use. One is best unless `chooseThreads` measured otherwise. */
  intraOpThreads?: number;
  log?: Logger;
  /** For tests: another program that speaks the thread's protocol (one that crashes when told to). */
  threadFile?: URL;
}

interface Entry {
  id: number;
  text: string;
  priority: Priority;
  tenant: string;
  /** Threads that died with this text in hand. */
  deaths: number;
  settle(outcome: Embedding | Error): void;
}

interface Thread {
  worker: Worker;
  ready: boolean;
  /** In the order the worker computes them. */
  held: Entry[];
}

/**
 * A thread is asked to end between two texts. Terminated inside onnxruntime it would abort the whole
 * process ("terminate called after throwing an instance of 'Napi::Error'"), so that is kept for a thread
 * that does not answer.
 */
async function stopThread({ worker }: Thread): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve());
  });
  worker.postMessage({ kind: 'stop' } satisfies ThreadRequest);
  const timer = setTimeout(() => void worker.terminate(), stopPatienceMs);
  await ended;
  clearTimeout(timer);
}

/** Says why the caller no longer wants its embeddings. */
function abortReason(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new DOMException('aborted', 'AbortError');
}

/**
 * With two, a thread ran dry when both cores computed and the main loop came late. With three, and vectors
 * handed over instead of copied, the path went from .85 to .90 of the best bare sessions.
 */
const questionsHeld = 3;
/** A text is tried on a second thread once; two deaths mean that the text is the cause. */
const deathsOfAText = 2;
const threadFile = new URL(
  import.meta.url.endsWith('.ts') ? './inference-thread.ts' : './inference-thread.js',
  import.meta.url,
);
/** Two texts of 512 tokens take under a second on a slow core. */
const stopPatienceMs = 5_000;
const restartDelayMs = { first: 100, most: 5_000 };

/**
 * Resolves when every thread has loaded the model and embedded its first texts.
 * @throws what the first thread that could not start says.
 */
export async function createThreadEmbedder(options: ThreadEmbedderOptions): Promise<ThreadEmbedder> {
  const embedder = new ThreadEmbedder(options);
  try {
    await embedder.start();
  } catch (error) {
    await embedder.close();
    throw error;
  }
  return embedder;
}

export class ThreadEmbedder implements Embedder {
  readonly model: Embedder['model'];
  readonly #options: ThreadEmbedderOptions;
  readonly #queue = new LaneQueue<Entry>();
  readonly #threads = new Set<Thread>();
  readonly #entries = new Set<Entry>();
  readonly #restartTimers = new Set<NodeJS.Timeout>();
  #nextId = 1;
  #restarts = 0;
  #failuresInARow = 0;
  #started = false;
  #closing: Promise<void> | undefined;

  constructor(options: ThreadEmbedderOptions) {
    const { model, fingerprint } = options.files;
    this.model = { id: model.id, dimension: model.dimension, fingerprint, maxTokens: model.maxTokens };
    this.#options = options;
  }

  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.threads }, () => this.#startThread()));
    this.#started = true;
  }

  async embed(texts: readonly string[], options: EmbedOptions): Promise<Embedding[]> {
    if (this.#closing !== undefined) throw new EmbedderClosed();
    options.signal?.throwIfAborted();
    const prefix = options.kind === 'query' ? this.#options.files.model.queryPrefix : '';
    const entries: Entry[] = [];
    const results = texts.map(
      (text) =>
        new Promise<Embedding>((resolve, reject) => {
          const entry: Entry = {
            id: this.#nextId,
            text: prefix + text,
            priority: options.priority,
            tenant: options.tenant ?? '',
            deaths: 0,
            settle: (outcome) => {
              this.#entries.delete(entry);
              if (outcome instanceof Error) reject(outcome);
              else resolve(outcome);
            },
          };
          this.#nextId += 1;
          entries.push(entry);
          this.#entries.add(entry);
          this.#queue.push(entry);
        }),
    );
    const leave = (reason: Error) => {
      for (const entry of entries) {
        this.#queue.remove(entry);
        entry.settle(reason);
      }
    };
    const onAbort = () => leave(abortReason(options.signal));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    this.#dispatch();
    try {
      return await Promise.all(results);
    } catch (error) {
      // One text failed: nobody waits for the others any more.
      leave(error instanceof Error ? error : new Error(String(error)));
      await Promise.allSettled(results);
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  load(): ReturnType<Embedder['load']> {
    const threads = [...this.#threads];
    return {
      waiting: { interactive: this.#queue.waiting('interactive'), low: this.#queue.waiting('low') },
      running: threads.reduce((sum, thread) => sum + thread.held.length, 0),
      threads: threads.filter((thread) => thread.ready).length,
      restarts: this.#restarts,
    };
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const timer of this.#restartTimers) clearTimeout(timer);
      this.#queue.drain();
      for (const entry of [...this.#entries]) entry.settle(new EmbedderClosed());
      await Promise.all([...this.#threads].map(stopThread));
    })();
    return this.#closing;
  }

  /** Resolves when the thread is ready, rejects when it ends before. */
  #startThread(): Promise<void> {
    const { files, intraOpThreads } = this.#options;
    const workerData: ThreadSettings = {
      model: files.model.id,
      modelsDir: files.modelsDir,
      intraOpThreads: intraOpThreads ?? 1,
    };
    const worker = new Worker(this.#options.threadFile ?? threadFile, {
      workerData,
      // A text leaves a few kilobytes of garbage; the default nursery let it grow: 27 MB more for two threads.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    const thread: Thread = { worker, ready: false, held: [] };
    this.#threads.add(thread);
    return new Promise((resolve, reject) => {
      let cause: unknown;
      worker.on('message', (message: ThreadReply) => {
        if (message.kind === 'ready') {
          thread.ready = true;
          this.#failuresInARow = 0;
          resolve();
        } else {
          this.#settle(thread, message);
        }
        this.#dispatch();
      });
      worker.on('error', (error) => {
        cause = error;
      });
      worker.once('exit', (code) => {
        cause ??= new Error(`the inference thread ended with code ${code}`);
        this.#threads.delete(thread);
        if (!thread.ready) reject(cause instanceof Error ? cause : new Error(String(cause)));
        if (this.#closing === undefined) this.#replace(thread, cause);
      });
    });
  }

  #settle(thread: Thread, message: Exclude<ThreadReply, { kind: 'ready' }>): void {
    const index = thread.held.findIndex((entry) => entry.id === message.id);
    const [entry] = index < 0 ? [] : thread.held.splice(index, 1);
    if (message.kind === 'embedded') entry?.settle(message.embedding);
    else entry?.settle(new EmbeddingFailed(`the text could not be embedded: ${message.message}`));
  }

  #replace(thread: Thread, cause: unknown): void {
    // Only the first text was being computed; the one behind it is not to blame.
    const [computed, ...behind] = thread.held;
    if (computed !== undefined) computed.deaths += 1;
    for (const entry of computed === undefined ? behind : [computed, ...behind]) {
      if (!this.#entries.has(entry)) continue;
      if (entry.deaths >= deathsOfAText) {
        entry.settle(
          new EmbeddingFailed('the text ended two inference threads and is not tried again', { cause }),
        );
      } else {
        this.#queue.giveBack(entry);
      }
    }
    // A thread that fails in `start` fails the start; only what once worked is replaced.
    if (!thread.ready && !this.#started) return;
    this.#options.log?.warn({ err: cause }, 'inference thread died; another is started');
    const delayMs = Math.min(restartDelayMs.most, restartDelayMs.first * 2 ** this.#failuresInARow);
    this.#failuresInARow += 1;
    const timer = setTimeout(() => {
      this.#restartTimers.delete(timer);
      this.#restarts += 1;
      this.#startThread().catch((error: unknown) => {
        this.#options.log?.error(
          { err: error },
          'inference thread did not start; tried again with growing pauses',
        );
      });
    }, delayMs);
    this.#restartTimers.add(timer);
    this.#dispatch();
  }

  #dispatch(): void {
    if (this.#closing !== undefined) return;
    const ready = [...this.#threads].filter((thread) => thread.ready);
    for (const thread of ready) {
      if (thread.held.length === 0) this.#hand(thread, this.#queue.take());
    }
    for (const thread of ready) {
      while (thread.held.length < questionsHeld && thread.held[0]?.priority === 'interactive') {
        const next = this.#queue.take('interactive');
        if (next === undefined) break;
        this.#hand(thread, next);
      }
    }
  }

  #hand(thread: Thread, entry: Entry | undefined): void {
    if (entry === undefined) return;
    thread.held.push(entry);
    thread.worker.postMessage({ kind: 'embed', id: entry.id, text: entry.text } satisfies ThreadRequest);
  }
}
