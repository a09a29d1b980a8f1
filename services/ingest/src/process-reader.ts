import { StageFailure } from '@vortex/contracts';
import type { ParseLimits } from '@vortex/documents';
import type { ReadReply } from './document-process.ts';
import type { DocumentReader, ReadDocument, ReadProgress, ReadRequest } from './document-reader.ts';
import { asReadDocument, finishedRead } from './finished-read.ts';
import { type ReaderChild, startReaderChild } from './reader-child.ts';
import { residentMemory } from './resident-memory.ts';

/**
 * Reads documents in child processes. Parsers meet hostile files, ten megabytes take seconds, and a main loop that
 * does not turn for ten seconds is a dead worker to everybody else. A child can be killed: an abandoned document stops
 * costing at once, and one that needs too much memory or time takes the child down alone.
 *
 * A process, not a thread: a thread shares the memory that is to be limited, and the service would idle at 60 MB more.
 *
 * States of a child, of which there are at most `processes`:
 *
 *   none → starting (reads the tokenizer, 0.4 s) → idle ⇄ busy with one document → none
 *
 * A second one is started for a document that has waited for a second. It ends after a crash, an abort, a limit that was passed (memory is looked at every 100 ms while it is busy), or half
 * a minute without work. What it was reading is answered only once it has ended, so that nothing writes into the
 * document's folder any more. The next document gets a fresh one.
 */
export interface ProcessReaderOptions {
  model: string;
  modelsDir: string;
  /** Children at most; further documents wait. */
  processes: number;
  limits: ReaderLimits;
  /** How long a child waits for the next document. */
  idleMs?: number;
}

/** Settings of the section `ingest`: `parser_memory_mb`, `parser_timeout_ms`, `max_…`. */
export interface ReaderLimits extends ParseLimits {
  memoryMegabytes: number;
  timeoutMs: number;
}

interface Reading {
  id: number;
  request: ReadRequest;
  onProgress: (progress: ReadProgress) => void;
  resolve: (document: ReadDocument) => void;
  reject: (error: Error) => void;
  /** Why the child that reads it was killed; what the reading is answered with. */
  killedFor: Error | null;
  /** `performance.now()` when it was asked for. */
  since: number;
}

interface Place {
  child: ReaderChild;
  reading: Reading | null;
  timers: NodeJS.Timeout[];
}

const watchMs = 100;
/** Small documents are read in a millisecond or two, one after the other; a second child took 0.5 s of CPU to start. */
const patienceMs = 1000;

export function createProcessReader(options: ProcessReaderOptions): DocumentReader {
  const { processes, limits, idleMs = 30_000 } = options;
  const waiting: Reading[] = [];
  const places = new Set<Place>();
  let nextId = 1;
  let closed = false;
  let later: NodeJS.Timeout | undefined;

  function startPlace(): Place {
    const { model, modelsDir } = options;
    const child = startReaderChild({
      model,
      modelsDir,
      maxHeapMegabytes: limits.memoryMegabytes,
      onReply: (reply) => settle(place, reply),
    });
    const place: Place = { child, reading: null, timers: [] };
    places.add(place);
    void child.ended.then(({ reason, outOfMemory }) => {
      places.delete(place);
      stopTimers(place);
      const { reading } = place;
      place.reading = null;
      reading?.reject(
        reading.killedFor ??
          (outOfMemory ? memoryPassed(limits) : new Error(`the reading process ended: ${reason}`)),
      );
      dispatch();
    });
    return place;
  }

  function settle(place: Place, reply: Exclude<ReadReply, { kind: 'ready' }>): void {
    const { reading } = place;
    // A child that is being killed may still have finished; its end is what counts then.
    if (reading === null || reading.id !== reply.id || reading.killedFor !== null) return;
    if (reply.kind === 'progress') {
      reading.onProgress(reply.progress);
      return;
    }
    place.reading = null;
    stopTimers(place);
    if (reply.kind === 'read') reading.resolve(asReadDocument(reading.request.outDir, reply.result));
    else if (reply.code === null) reading.reject(new Error(reply.message));
    else reading.reject(new StageFailure(reply.code, reply.message));
    endWhenIdle(place);
    dispatch();
  }

  function dispatch(): void {
    while (!closed && waiting.length > 0) {
      const idle = [...places].find((place) => place.reading === null);
      if (idle === undefined && places.size >= processes) return;
      if (idle === undefined && places.size > 0 && waitsBriefly(waiting[0])) return;
      const reading = waiting.shift();
      if (reading !== undefined) begin(idle ?? startPlace(), reading);
    }
  }

  /** A child more is worth its start and its memory only when those there have long documents in hand. */
  function waitsBriefly(first: Reading | undefined): boolean {
    const leftMs = first === undefined ? 0 : first.since + patienceMs - performance.now();
    if (leftMs <= 0) return false;
    clearTimeout(later);
    later = setTimeout(dispatch, leftMs + 1);
    return true;
  }

  function begin(place: Place, reading: Reading): void {
    stopTimers(place);
    place.reading = reading;
    const { request, id } = reading;
    const { memoryMegabytes, timeoutMs, ...parseLimits } = limits;
    // A child's start is no fault of the document.
    place.child.ready.then(
      () => {
        if (place.reading !== reading) return;
        place.timers.push(setTimeout(() => end(place, reading, timePassed(timeoutMs)), timeoutMs));
      },
      () => undefined,
    );
    place.timers.push(
      setInterval(async () => {
        const bytes = place.child.pid === undefined ? null : await residentMemory(place.child.pid);
        if (bytes !== null && bytes > memoryMegabytes * 1024 * 1024)
          end(place, reading, memoryPassed(limits));
      }, watchMs),
    );
    place.child.send({ id, request, limits: parseLimits });
  }

  function end(place: Place, reading: Reading, error: Error): void {
    if (place.reading !== reading || reading.killedFor !== null) return;
    reading.killedFor = error;
    place.child.kill();
  }

  function endWhenIdle(place: Place): void {
    stopTimers(place);
    const timer = setTimeout(() => {
      // Not for the next document: it would be answered by the end of a child that was idle.
      places.delete(place);
      place.child.kill();
    }, idleMs);
    timer.unref();
    place.timers.push(timer);
  }

  async function whenRead(
    request: ReadRequest,
    hooks: Parameters<DocumentReader['read']>[1],
  ): Promise<ReadDocument> {
    const { signal, onProgress } = hooks;
    signal.throwIfAborted();
    const finished = await finishedRead(request);
    if (finished !== null) return finished;
    return new Promise((resolve, reject) => {
      if (closed) throw new Error('the reader is closed');
      signal.throwIfAborted();
      const reading: Reading = {
        id: nextId++,
        request,
        onProgress,
        resolve: (document) => {
          signal.removeEventListener('abort', abort);
          resolve(document);
        },
        reject: (error) => {
          signal.removeEventListener('abort', abort);
          reject(error);
        },
        killedFor: null,
        since: performance.now(),
      };
      function abort(): void {
        const error = new DOMException('the document is no longer wanted', 'AbortError');
        const queued = waiting.indexOf(reading);
        if (queued !== -1) {
          waiting.splice(queued, 1);
          reading.reject(error);
        }
        for (const place of places) end(place, reading, error);
      }
      signal.addEventListener('abort', abort, { once: true });
      waiting.push(reading);
      dispatch();
    });
  }

  return {
    read: whenRead,

    async warmUp() {
      const [place = startPlace()] = places;
      await place.child.ready;
      if (place.reading === null) endWhenIdle(place);
    },

    async close() {
      closed = true;
      clearTimeout(later);
      const error = new Error('the reader is closed');
      for (const reading of waiting.splice(0)) reading.reject(error);
      await Promise.all(
        [...places].map(async (place) => {
          stopTimers(place);
          if (place.reading !== null) place.reading.killedFor ??= error;
          place.child.kill();
          await place.child.ended;
        }),
      );
    },
  };
}

function stopTimers(place: Place): void {
  for (const timer of place.timers.splice(0)) clearInterval(timer);
}

function memoryPassed({ memoryMegabytes }: ReaderLimits): StageFailure {
  return new StageFailure(
    'parse_limits_exceeded',
    `reading the document takes more than ${memoryMegabytes} MB of memory (ingest.parser_memory_mb). Split it, or raise that setting.`,
  );
}

function timePassed(timeoutMs: number): StageFailure {
  return new StageFailure(
    'parse_limits_exceeded',
    `reading the document takes longer than ${timeoutMs} ms (ingest.parser_timeout_ms). Split it, or raise that setting.`,
  );
}
