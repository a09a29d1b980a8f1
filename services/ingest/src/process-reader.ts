import { StageFailure } from '@vortex/contracts';
import type { ReadReply } from './document-process.ts';
import type {
  DocumentReader,
  DocumentRequest,
  ReadDocument,
  ReadHooks,
  ReadProgress,
  ReadRequest,
  ShortDocument,
} from './document-reader.ts';
import { ReaderBusy } from './document-reader.ts';
import { asReadDocument, finishedRead } from './finished-read.ts';
import { type ReaderChild, startReaderChild } from './reader-child.ts';
import { memoryPassed, type ReaderLimits, timePassed } from './reader-limits.ts';
import { residentMemory } from './resident-memory.ts';

/**
 * Reads documents in child processes. Parsers meet hostile files, ten megabytes take seconds, and a main loop that
 * does not turn for ten seconds is a dead worker to everybody else. A child can be killed: an abandoned document stops
 * costing at once, and one that needs too much memory or time takes the child down alone.
 *
 * A process, not a thread: a thread shares the memory that is to be limited, and the service would idle at 60 MB more.
 *
 * Two lanes, because two files of a few kilobytes that keep a parser busy held up everybody's documents for ten
 * minutes. A document's states:
 *
 *   waits → read in the quick lane ──────────────────────────────────────────────→ answered
 *               └ read for `quickMs`, and another waits → waits (slow) → read in the slow lane ─┘
 *                                   └ four wait there → ReaderBusy; asked for again, it goes to the slow lane at once
 *
 * What changes lanes loses its child and begins again; it goes only when it is in somebody's way, once, and has the
 * whole `timeoutMs` there. The slow lane has one child, so slow documents wait for each other, first come, first
 * served, and never hold up a quick one.
 *
 * States of a child, of which the quick lane has `processes` − 1 at most (but one) and the slow lane one:
 *
 *   none → starting (reads the tokenizer, 0.4 s) → idle ⇄ busy with one document → none
 *
 * Another quick one is started for a document that has waited for a second, the slow one when a document comes to its
 * lane. A child ends after a crash, an abort, a change of lanes, a limit that was passed (memory is looked at every
 * 100 ms while it is busy), or half a minute without work. What it was reading is answered, or begun again, only once
 * it has ended, so that nothing writes into the document's folder any more. The next document gets a fresh one.
 *
 * One piece, because who waits, who reads and who is being killed are one state, and every event asks about all three.
 */
export interface ProcessReaderOptions {
  model: string;
  modelsDir: string;
  /** Children at most, one of them the slow lane's; further documents wait. One counts as two. */
  processes: number;
  limits: ReaderLimits;
  /** How long a document that others wait for may stay in the quick lane. */
  quickMs?: number;
  /** How long a document waits before it costs a child's start, or another one its place. */
  patienceMs?: number;
  /** How long a child waits for the next document. */
  idleMs?: number;
}

type Lane = 'quick' | 'slow';
type Answer = Extract<ReadReply, { kind: 'read' | 'short' }>;

interface Reading {
  id: number;
  request: DocumentRequest | ReadRequest;
  onProgress: (progress: ReadProgress) => void;
  resolve: (reply: Answer) => void;
  reject: (error: Error) => void;
  /** Why the child that reads it was killed; what the reading is answered with. */
  killedFor: Error | null;
  /** `performance.now()` when it was asked for. */
  since: number;
}

interface Place {
  lane: Lane;
  child: ReaderChild;
  reading: Reading | null;
  /** `performance.now()` when it began with what it reads; null while the child starts. */
  begunAt: number | null;
  /** It was killed for what it reads to go to the slow lane. */
  makesRoom: boolean;
  timers: NodeJS.Timeout[];
}

const watchMs = 100;
/** Small documents are read in a millisecond or two, one after the other; a second child took 0.5 s of CPU to start. */
const usualPatienceMs = 1000;
/** An honest book or spreadsheet of a few hundred pages is read in under ten seconds on a busy machine. */
const usualQuickMs = 20_000;
/** What everything gets, however many wait: most that is a page or two. */
const leastQuickMs = 2000;
/** In the slow lane, beside the one that is read. */
const mostSlowWaiting = 4;
const mostRemembered = 10_000;

export function createProcessReader(options: ProcessReaderOptions): DocumentReader {
  const { limits, quickMs = usualQuickMs, patienceMs = usualPatienceMs, idleMs = 30_000 } = options;
  const quickProcesses = Math.max(1, options.processes - 1);
  const waiting: Record<Lane, Reading[]> = { quick: [], slow: [] };
  const places = new Set<Place>();
  /** Originals whose reading took long; bounded, and each only until it has been read. */
  const slow = new Set<string>();
  let nextId = 1;
  let closed = false;
  let later: NodeJS.Timeout | undefined;

  function startPlace(lane: Lane): Place {
    const { model, modelsDir } = options;
    const child = startReaderChild({
      model,
      modelsDir,
      maxHeapMegabytes: limits.memoryMegabytes,
      onReply: (reply) => settle(place, reply),
    });
    const place: Place = { lane, child, reading: null, begunAt: null, makesRoom: false, timers: [] };
    places.add(place);
    void child.ended.then(({ reason, outOfMemory }) => {
      places.delete(place);
      stopTimers(place);
      const { reading } = place;
      place.reading = null;
      if (reading !== null && reading.killedFor === null && place.makesRoom) {
        waitSlowly(reading);
      } else {
        if (reading !== null) slow.delete(reading.request.file);
        const crash = new Error(`the reading process ended: ${reason}`);
        reading?.reject(reading.killedFor ?? (outOfMemory ? memoryPassed(limits) : crash));
      }
      dispatch();
    });
    return place;
  }

  function settle(place: Place, reply: Exclude<ReadReply, { kind: 'ready' }>): void {
    const { reading } = place;
    // A child that is being killed may still have finished; its end is what counts then.
    if (reading === null || reading.id !== reply.id) return;
    if (reading.killedFor !== null || place.makesRoom) return;
    if (reply.kind === 'progress') {
      reading.onProgress(reply.progress);
      return;
    }
    place.reading = null;
    stopTimers(place);
    slow.delete(reading.request.file);
    if (reply.kind === 'read' || reply.kind === 'short') reading.resolve(reply);
    else if (reply.code === null) reading.reject(new Error(reply.message));
    else reading.reject(new StageFailure(reply.code, reply.message));
    endWhenIdle(place);
    dispatch();
  }

  function placesOf(lane: Lane): Place[] {
    return [...places].filter((place) => place.lane === lane);
  }

  function dispatch(): void {
    if (closed) return;
    dispatchSlow();
    while (waiting.quick.length > 0) {
      const quick = placesOf('quick');
      const idle = quick.find((place) => place.reading === null);
      if (idle === undefined && quick.length > 0 && waitsBriefly(waiting.quick[0])) return;
      if (idle === undefined && quick.length >= quickProcesses) {
        makeRoom(quick);
        return;
      }
      const reading = waiting.quick.shift();
      if (reading !== undefined) begin(idle ?? startPlace('quick'), reading);
    }
  }

  function dispatchSlow(): void {
    if (waiting.slow.length === 0) return;
    const [place = startPlace('slow')] = placesOf('slow');
    if (place.reading !== null) return;
    const reading = waiting.slow.shift();
    if (reading !== undefined) begin(place, reading);
  }

  /** One at a time: the child's end dispatches again, and by then another may have become free. */
  function makeRoom(quick: Place[]): void {
    if (quick.some((place) => place.makesRoom)) return;
    // Twenty spinners of a kilobyte must not cost those behind them twenty times `quickMs`.
    const allowedMs = Math.max(Math.min(leastQuickMs, quickMs), quickMs / (1 + waiting.quick.length));
    const leftMs = ({ begunAt }: Place) => (begunAt ?? performance.now()) + allowedMs - performance.now();
    const [longest] = quick
      .filter(({ reading }) => reading?.killedFor === null)
      .sort((one, other) => leftMs(one) - leftMs(other));
    if (longest === undefined) return;
    if (leftMs(longest) > 0) {
      dispatchIn(leftMs(longest));
      return;
    }
    stopTimers(longest);
    longest.makesRoom = true;
    longest.child.kill();
  }

  /** Into the slow lane's queue, if there is room; whoever asks again for one that took long goes there at once. */
  function waitSlowly(reading: Reading): void {
    slow.add(reading.request.file);
    if (slow.size > mostRemembered) for (const oldest of slow) if (slow.delete(oldest)) break;
    if (waiting.slow.length >= mostSlowWaiting) {
      reading.reject(new ReaderBusy());
      return;
    }
    waiting.slow.push(reading);
    reading.onProgress({ stage: 'wait', done: 0, total: null, unit: 'bytes' });
  }

  function dispatchIn(ms: number): void {
    clearTimeout(later);
    later = setTimeout(dispatch, ms + 1);
  }

  /** A child more, or a document begun again, is worth its cost only when those there have long documents in hand. */
  function waitsBriefly(first: Reading | undefined): boolean {
    const leftMs = first === undefined ? 0 : first.since + patienceMs - performance.now();
    if (leftMs <= 0) return false;
    dispatchIn(leftMs);
    return true;
  }

  function begin(place: Place, reading: Reading): void {
    stopTimers(place);
    place.reading = reading;
    place.begunAt = null;
    const { request, id } = reading;
    const { memoryMegabytes, timeoutMs, ...parseLimits } = limits;
    // A child's start is no fault of the document.
    place.child.ready.then(
      () => {
        if (place.reading !== reading) return;
        reading.onProgress({ stage: 'parse', done: 0, total: null, unit: 'bytes' });
        place.begunAt = performance.now();
        place.timers.push(setTimeout(() => end(place, reading, timePassed(timeoutMs)), timeoutMs));
        dispatch();
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

  function whenRead(request: DocumentRequest | ReadRequest, hooks: ReadHooks): Promise<Answer> {
    const { signal, onProgress } = hooks;
    return new Promise((resolve, reject) => {
      if (closed) throw new Error('the reader is closed');
      signal.throwIfAborted();
      const reading: Reading = {
        id: nextId++,
        request,
        onProgress,
        resolve: (reply) => {
          signal.removeEventListener('abort', abort);
          resolve(reply);
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
        for (const lane of Object.values(waiting)) {
          if (!lane.includes(reading)) continue;
          lane.splice(lane.indexOf(reading), 1);
          reading.reject(error);
        }
        for (const place of places) end(place, reading, error);
      }
      signal.addEventListener('abort', abort, { once: true });
      if (slow.has(request.file)) waitSlowly(reading);
      else if ('outDir' in request) waiting.quick.push(reading);
      // A short one is read in a millisecond, so it may go before those that may take seconds.
      else waiting.quick.splice(shortOnes(waiting.quick), 0, reading);
      dispatch();
    });
  }

  return {
    async read(request, hooks): Promise<ReadDocument> {
      hooks.signal.throwIfAborted();
      const finished = await finishedRead(request);
      if (finished !== null) return finished;
      const reply = await whenRead(request, hooks);
      if (reply.kind !== 'read') throw new Error('the reading process wrote nothing (process-reader-1)');
      return asReadDocument(request.outDir, reply.result);
    },

    async readShort({ file, mediaType, filename, title, chunking }, hooks): Promise<ShortDocument> {
      const reply = await whenRead({ file, mediaType, filename, title, chunking }, hooks);
      if (reply.kind !== 'short') throw new Error('the reading process gave no document (process-reader-2)');
      return reply.document;
    },

    async warmUp() {
      const [place = startPlace('quick')] = placesOf('quick');
      await place.child.ready;
      if (place.reading === null) endWhenIdle(place);
    },

    async close() {
      closed = true;
      clearTimeout(later);
      const error = new Error('the reader is closed');
      for (const lane of Object.values(waiting)) for (const reading of lane.splice(0)) reading.reject(error);
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

/** How many short documents wait; they are the first. */
function shortOnes(queue: readonly Reading[]): number {
  const first = queue.findIndex(({ request }) => 'outDir' in request);
  return first === -1 ? queue.length : first;
}

function stopTimers(place: Place): void {
  for (const timer of place.timers.splice(0)) clearInterval(timer);
}
