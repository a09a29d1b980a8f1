import { setTimeout as delay } from 'node:timers/promises';
import { VectorStoreError } from './errors.ts';
import type { ChunkRow, Scope, VectorStore } from './vector-store.ts';

/**
 * The same port, with writes that come close together made one. A commit of LanceDB costs the same for one row
 * as for a hundred: it looks for the ids in the whole table, and leaves a file and a version that upkeep
 * has to clear away. A stream of documents of one chunk each paid that for every document (18 ms of CPU of 65).
 *
 * Per collection:
 *
 *   idle ──upsert──► writing ──written──► resting, until `pauseMs` after the write began ──► idle
 *                       │                    │
 *                       └──── upserts wait ──┴──► written together next
 *
 * So a lone upsert is written at once, and in a stream each waits for `pauseMs` at most. Each resolves only once its rows
 * are durable, as without this. A write that fails for several is tried again for each alone, so that a row that is
 * refused fails its own caller; a store that is away fails them all.
 *
 * A delete waits for the upserts that were called before it.
 */
export interface GatherOptions {
  pauseMs: number;
  /** So many rows are written without a rest. */
  rowsAtOnce?: number;
}

interface Waiting {
  rows: readonly ChunkRow[];
  settle: { resolve: () => void; reject: (error: unknown) => void };
}

interface Line {
  waiting: Waiting[];
  /** Resolves when nothing waits any more. */
  emptied: Promise<void> | null;
  restUntil: number;
  endRest: AbortController;
}

export function gatherUpserts(store: VectorStore, { pauseMs, rowsAtOnce = 512 }: GatherOptions): VectorStore {
  const lines = new Map<string, Line>();

  function lineOf(scope: Scope): Line {
    const key = JSON.stringify([scope.tenant, scope.collection]);
    let line = lines.get(key);
    if (line === undefined) {
      line = { waiting: [], emptied: null, restUntil: 0, endRest: new AbortController() };
      lines.set(key, line);
    }
    return line;
  }

  function upsert(scope: Scope, rows: readonly ChunkRow[]): Promise<void> {
    const line = lineOf(scope);
    const stored = new Promise<void>((resolve, reject) => {
      line.waiting.push({ rows, settle: { resolve, reject } });
    });
    if (rowsOf(line.waiting) >= rowsAtOnce) line.endRest.abort();
    line.emptied ??= empty(scope, line);
    return stored;
  }

  async function empty(scope: Scope, line: Line): Promise<void> {
    while (line.waiting.length > 0) {
      await rest(line);
      const together = line.waiting.splice(0, fitting(line.waiting, rowsAtOnce));
      line.restUntil = performance.now() + pauseMs;
      await write(scope, together);
    }
    line.emptied = null;
  }

  async function rest(line: Line): Promise<void> {
    const restMs = line.restUntil - performance.now();
    if (restMs <= 0 || rowsOf(line.waiting) >= rowsAtOnce) return;
    line.endRest = new AbortController();
    // It rejects only when the rest is ended early.
    await delay(restMs, undefined, { signal: line.endRest.signal }).catch(() => undefined);
  }

  async function write(scope: Scope, together: readonly Waiting[]): Promise<void> {
    try {
      await store.upsert(
        scope,
        together.flatMap(({ rows }) => rows),
      );
      for (const { settle } of together) settle.resolve();
    } catch (error) {
      const isRefused = error instanceof VectorStoreError && !error.mayRetry;
      if (together.length === 1 || !isRefused) {
        for (const { settle } of together) settle.reject(error);
        return;
      }
      for (const { rows, settle } of together) {
        await store.upsert(scope, rows).then(settle.resolve, settle.reject);
      }
    }
  }

  /** Nobody who calls this expects what waits to be resting. */
  async function emptied(scope: Scope): Promise<void> {
    const line = lineOf(scope);
    line.endRest.abort();
    line.restUntil = 0;
    await line.emptied;
  }

  return {
    ...passedOn(store),
    upsert,
    async deleteVersions(scope, versions) {
      await emptied(scope);
      await store.deleteVersions(scope, versions);
    },
    async deleteDocument(scope, documentId) {
      await emptied(scope);
      await store.deleteDocument(scope, documentId);
    },
    async dropCollection(scope) {
      await emptied(scope);
      await store.dropCollection(scope);
      lines.delete(JSON.stringify([scope.tenant, scope.collection]));
    },
    async close() {
      const open = [...lines.values()];
      for (const line of open) line.endRest.abort();
      // Writes that have begun are the store's to end; it refuses the others.
      await store.close();
      await Promise.all(open.map(({ emptied }) => emptied));
    },
  };
}

/** How many of the waiting, and one at least, are written together. */
function fitting(waiting: readonly Waiting[], most: number): number {
  let rows = 0;
  const beyond = waiting.findIndex((one) => {
    rows += one.rows.length;
    return rows > most;
  });
  return beyond === -1 ? waiting.length : Math.max(1, beyond);
}

function rowsOf(waiting: readonly Waiting[]): number {
  return waiting.reduce((sum, { rows }) => sum + rows.length, 0);
}

/** Spelled out: a spread of a class instance would lose its methods. */
function passedOn(store: VectorStore) {
  return {
    ensureCollection: (...call) => store.ensureCollection(...call),
    describe: (...call) => store.describe(...call),
    search: (...call) => store.search(...call),
    rank: (...call) => store.rank(...call),
    rankText: (...call) => store.rankText(...call),
    cosines: (...call) => store.cosines(...call),
    fetch: (...call) => store.fetch(...call),
    listScopes: () => store.listScopes(),
    listVersions: (...call) => store.listVersions(...call),
    count: (...call) => store.count(...call),
    lexicalCount: (...call) => store.lexicalCount(...call),
    scan: (...call) => store.scan(...call),
    health: () => store.health(),
  } satisfies Partial<VectorStore>;
}
