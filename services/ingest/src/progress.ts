import type { JobProgress } from '@vortex/registry';
import type { ReadProgress } from './document-reader.ts';

/**
 * How far one try of a document's job is, in per cent of committed work:
 *
 *   0 ── parse ── 10 ── chunk ── 15 ──────── embed (chunks that stand in the store) ──────── 99, publish
 *
 * 100 is said by the publication itself. Within a try nothing goes back; stored groups of an earlier run count from
 * the start. Embedding has nearly all of the scale because it has nearly all of the time: of a document of 300
 * pages parsing and chunking take some seconds, 1,000 chunks half a minute of a CPU.
 */
export interface ProgressModel {
  reading(progress: ReadProgress): JobProgress;
  /** Everything has been read; `stored` of `total` chunks stand in the store from an earlier run. */
  read(stored: number, total: number): JobProgress;
  /** So many chunks more stand in the store, and are noted. */
  stored(chunks: number): JobProgress;
  publishing(): JobProgress;
}

const parsedAt = 10;
const chunkedAt = 15;
/** All chunks stand in the store. */
export const storedAt = 99;
/** The rate's memory: long enough that groups arriving in bursts do not shake it, short enough to see a busy encoder. */
const rateMemoryMs = 10_000;

export function createProgress(now: () => number): ProgressModel {
  let reached = 0;
  let done = 0;
  let total = 0;
  let lastAt = 0;
  // Chunks and milliseconds, both fading: their quotient is the smoothed rate.
  let recentChunks = 0;
  let recentMs = 0;

  function at(percent: number): number {
    reached = Math.max(reached, Math.round(percent * 10) / 10);
    return reached;
  }

  function embedding(): JobProgress {
    const share = total === 0 ? 1 : done / total;
    return {
      stage: 'embed',
      progress: at(chunkedAt + (storedAt - chunkedAt) * share),
      message: `Embedding ${done} of ${total} ${total === 1 ? 'chunk' : 'chunks'}`,
      etaMs: recentChunks > 0 ? Math.round(((total - done) * recentMs) / recentChunks) : null,
      committed: true,
    };
  }

  return {
    reading({ stage, done: read, total: all, unit }) {
      if (stage === 'wait')
        return {
          stage: 'parse',
          progress: at(0),
          message: 'Waiting behind other long documents',
          etaMs: null,
        };
      const [from, to] = stage === 'parse' ? [0, parsedAt] : [parsedAt, chunkedAt];
      const share = all === null || all === 0 ? 0 : Math.min(1, read / all);
      return {
        stage,
        progress: at(from + (to - from) * share),
        message: stage === 'parse' ? parsing(read, all, unit) : chunking(share),
        etaMs: null,
      };
    },
    read(stored, chunks) {
      done = stored;
      total = chunks;
      lastAt = now();
      return embedding();
    },
    stored(chunks) {
      const passedMs = Math.max(0, now() - lastAt);
      lastAt += passedMs;
      const kept = Math.exp(-passedMs / rateMemoryMs);
      recentChunks = recentChunks * kept + chunks;
      recentMs = recentMs * kept + passedMs;
      done = Math.min(total, done + chunks);
      return embedding();
    },
    publishing: () => ({ stage: 'publish', progress: at(storedAt), message: 'Publishing', etaMs: null }),
  };
}

function parsing(done: number, total: number | null, unit: ReadProgress['unit']): string {
  if (unit === 'pages') return `Parsing page ${done}${total === null ? '' : ` of ${total}`}`;
  if (unit === 'entries') return `Parsing part ${done}${total === null ? '' : ` of ${total}`}`;
  return total === null || total === 0 ? 'Reading the file' : `Parsing, ${wholePercent(done / total)} %`;
}

const chunking = (share: number) => `Cutting into chunks, ${wholePercent(share)} %`;

const wholePercent = (share: number) => Math.floor(100 * Math.min(1, share));
