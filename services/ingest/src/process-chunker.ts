import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Piece } from '@vortex/documents';
import type { ChunkReply, ChunkRequest } from './chunk-process.ts';

/**
 * Chunks documents in a child process. Ten megabytes take seconds (a minute, if they are base64), and a main
 * loop that does not turn for ten seconds is a dead worker to everybody else. A child can also be killed: an
 * abandoned document stops costing at once, and one that needs too much memory takes the child down alone.
 *
 * A process, not a thread: with a thread the service idles at 60 MB more, even after the thread has ended;
 * a process gives everything back, half a gigabyte after a document of ten megabytes.
 *
 * States of the child: none → starting (reads the tokenizer, 0.4 s) → idle ⇄ busy with one document → none,
 * after a crash, an abort, or half a minute without work.
 */
export interface Chunker {
  /** @throws ChunkingFailed; DOMException named AbortError when the signal fires. */
  chunk(request: Omit<ChunkRequest, 'id'>, signal: AbortSignal): Promise<Piece[]>;
  /** Resolves when a child has read the tokenizer. @throws the reason, e.g. that the model's files are not there. */
  warmUp(): Promise<void>;
  close(): Promise<void>;
}

export class ChunkingFailed extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ChunkingFailed';
  }
}

export interface ProcessChunkerOptions {
  model: string;
  modelsDir: string;
  /** How long a child waits for the next document. */
  idleMs?: number;
  maxHeapMegabytes?: number;
}

interface Waiting {
  request: ChunkRequest;
  resolve(pieces: Piece[]): void;
  reject(error: Error): void;
}

interface Child {
  process: ChildProcess;
  /** Settles when the tokenizer has been read, or the child has ended before. */
  ready: Promise<void>;
  ended: Promise<void>;
  busyWith: Waiting | null;
}

const isSource = import.meta.url.endsWith('.ts');
const childFile = fileURLToPath(
  new URL(isSource ? './chunk-process.ts' : './chunk-process.js', import.meta.url),
);
const keptErrorCharacters = 4000;

export function createProcessChunker(options: ProcessChunkerOptions): Chunker {
  const { model, modelsDir, idleMs = 30_000, maxHeapMegabytes = 1024 } = options;
  const queue: Waiting[] = [];
  let child: Child | null = null;
  let idleTimer: NodeJS.Timeout | undefined;
  let nextId = 1;
  let closed = false;

  function startChild(): Child {
    const forked = fork(childFile, [model, modelsDir], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [
        `--max-old-space-size=${maxHeapMegabytes}`,
        '--no-warnings',
        // Given here, because a test runner has no such flag to inherit.
        ...(isSource ? ['--conditions=vortex-source'] : []),
      ],
    });
    let errors = '';
    forked.stderr?.on('data', (data: Buffer) => {
      errors = (errors + data.toString()).slice(0, keptErrorCharacters);
    });
    let hasEnded = () => {};
    const ended = new Promise<void>((resolve) => {
      hasEnded = resolve;
    });
    const ready = new Promise<void>((resolve, reject) => {
      forked.on('message', (message: ChunkReply) => {
        if (message.kind === 'ready') {
          resolve();
          if (started.busyWith === null) endWhenIdle();
        } else settle(started, message);
      });
      // Sending to a child that has just died; its exit tells the same and more.
      forked.on('error', () => undefined);
      forked.once('close', (code, signal) => {
        const reason = /^.*(?:FATAL ERROR|Error): .*$/m.exec(errors)?.[0] ?? `code ${code ?? signal}`;
        const error = new ChunkingFailed(`the chunking process ended: ${reason}`);
        reject(error);
        hasEnded();
        if (child === started) child = null;
        started.busyWith?.reject(error);
        started.busyWith = null;
        dispatch();
      });
    });
    // Whoever waits sees the rejection; a child that nobody waits for may end unheard.
    ready.catch(() => undefined);
    const started: Child = { process: forked, ready, ended, busyWith: null };
    return started;
  }

  function settle(of: Child, message: Exclude<ChunkReply, { kind: 'ready' }>): void {
    const waiting = of.busyWith;
    of.busyWith = null;
    if (waiting?.request.id === message.id) {
      if (message.kind === 'chunked') waiting.resolve(message.pieces);
      else waiting.reject(new ChunkingFailed(message.message));
    }
    dispatch();
  }

  function dispatch(): void {
    if (closed || (child !== null && child.busyWith !== null)) return;
    const waiting = queue.shift();
    if (waiting === undefined) {
      endWhenIdle();
      return;
    }
    clearTimeout(idleTimer);
    child ??= startChild();
    child.busyWith = waiting;
    child.process.send(waiting.request);
  }

  function endWhenIdle(): void {
    clearTimeout(idleTimer);
    idleTimer = setTimeout(endChild, idleMs);
    idleTimer.unref();
  }

  async function endChild(): Promise<void> {
    const ending = child;
    child = null;
    ending?.process.kill('SIGKILL');
    await ending?.ended;
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
          if (child?.busyWith === waiting) void endChild();
        }
        signal.addEventListener('abort', abort, { once: true });
        queue.push(waiting);
        dispatch();
      });
    },

    async warmUp() {
      child ??= startChild();
      await child.ready;
    },

    async close() {
      closed = true;
      clearTimeout(idleTimer);
      for (const waiting of queue.splice(0)) waiting.reject(new ChunkingFailed('the chunker is closed'));
      await endChild();
    },
  };
}
