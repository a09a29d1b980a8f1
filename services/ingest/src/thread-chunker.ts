import { Worker } from 'node:worker_threads';
import type { Piece } from '@vortex/documents';
import type { ChunkReply, ChunkRequest, ChunkThreadSettings } from './chunk-thread.ts';

/**
 * Chunks documents in a thread of its own. Ten megabytes take seconds (minutes, if they are base64), and a
 * main loop that does not turn for ten seconds is a dead worker to everybody else. The thread can also be
 * ended: an abandoned document stops costing at once, and one that needs too much memory takes the thread
 * down, not the process.
 *
 * States of the thread: none → starting (tokenizer is read) → idle ⇄ busy with one document → none, after a
 * crash, an abort, or half a minute without work: a large document leaves half a gigabyte of heap behind
 * that only the thread's end returns.
 */
export interface Chunker {
  /** @throws ChunkingFailed; DOMException named AbortError when the signal fires. */
  chunk(request: Omit<ChunkRequest, 'id'>, signal: AbortSignal): Promise<Piece[]>;
  /** Resolves when a thread has read the tokenizer. @throws the reason, e.g. that the model's files are not there. */
  warmUp(): Promise<void>;
  close(): Promise<void>;
}

export class ChunkingFailed extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ChunkingFailed';
  }
}

interface Waiting {
  request: ChunkRequest;
  resolve(pieces: Piece[]): void;
  reject(error: Error): void;
}

interface Thread {
  worker: Worker;
  /** Settles when the tokenizer has been read, or the thread has ended before. */
  ready: Promise<void>;
  busyWith: Waiting | null;
}

const isSource = import.meta.url.endsWith('.ts');
const threadFile = new URL(isSource ? './chunk-thread.ts' : './chunk-thread.js', import.meta.url);

export function createThreadChunker(
  options: ChunkThreadSettings & { idleMs?: number; maxHeapMegabytes?: number },
): Chunker {
  const { model, modelsDir, idleMs = 30_000, maxHeapMegabytes = 1024 } = options;
  const queue: Waiting[] = [];
  let thread: Thread | null = null;
  let idleTimer: NodeJS.Timeout | undefined;
  let nextId = 1;
  let closed = false;

  function startThread(): Thread {
    const worker = new Worker(threadFile, {
      workerData: { model, modelsDir } satisfies ChunkThreadSettings,
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMegabytes },
      // A thread inherits the process's flags, but not the conditions of a test runner.
      ...(isSource && { execArgv: ['--conditions=vortex-source', '--no-warnings'] }),
    });
    worker.unref();
    let cause: unknown;
    const ready = new Promise<void>((resolve, reject) => {
      worker.on('message', (message: ChunkReply) => {
        if (message.kind === 'ready') resolve();
        else settle(started, message);
      });
      worker.on('error', (error) => {
        cause = error;
      });
      worker.once('exit', () => {
        const reason = cause instanceof Error ? `: ${cause.message}` : '';
        const error = new ChunkingFailed(`the chunking thread ended${reason}`, cause);
        reject(error);
        if (thread === started) thread = null;
        started.busyWith?.reject(error);
        started.busyWith = null;
        dispatch();
      });
    });
    // Whoever waits sees the rejection; a thread that nobody waits for may end unheard.
    ready.catch(() => undefined);
    const started: Thread = { worker, ready, busyWith: null };
    return started;
  }

  function settle(of: Thread, message: Exclude<ChunkReply, { kind: 'ready' }>): void {
    const waiting = of.busyWith;
    of.busyWith = null;
    if (waiting?.request.id === message.id) {
      if (message.kind === 'chunked') waiting.resolve(message.pieces);
      else waiting.reject(new ChunkingFailed(message.message));
    }
    dispatch();
  }

  function dispatch(): void {
    if (closed || thread?.busyWith != null) return;
    const waiting = queue.shift();
    if (waiting === undefined) {
      clearTimeout(idleTimer);
      idleTimer = setTimeout(endThread, idleMs);
      idleTimer.unref();
      return;
    }
    clearTimeout(idleTimer);
    thread ??= startThread();
    thread.busyWith = waiting;
    thread.worker.postMessage(waiting.request);
  }

  function endThread(): Promise<unknown> {
    const ended = thread;
    thread = null;
    return ended?.worker.terminate() ?? Promise.resolve();
  }

  return {
    chunk(request, signal) {
      return new Promise((resolve, reject) => {
        if (closed) throw new ChunkingFailed('the chunker is closed');
        signal.throwIfAborted();
        const waiting: Waiting = {
          request: { id: nextId++, ...request },
          resolve: (pieces) => {
            signal.removeEventListener('abort', abort);
            resolve(pieces);
          },
          reject: (error) => {
            signal.removeEventListener('abort', abort);
            reject(error);
          },
        };
        function abort(): void {
          const place = queue.indexOf(waiting);
          if (place !== -1) queue.splice(place, 1);
          reject(new DOMException('the document is no longer wanted', 'AbortError'));
          if (thread?.busyWith === waiting) void endThread();
        }
        signal.addEventListener('abort', abort, { once: true });
        queue.push(waiting);
        dispatch();
      });
    },

    async warmUp() {
      thread ??= startThread();
      await thread.ready;
    },

    async close() {
      closed = true;
      clearTimeout(idleTimer);
      for (const waiting of queue.splice(0)) waiting.reject(new ChunkingFailed('the chunker is closed'));
      await endThread();
    },
  };
}
