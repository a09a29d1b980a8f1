import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@vortex/observability';
import { document, seeded } from '../src/conformance.ts';
import { withExactSearch } from '../src/exact-search.ts';
import { openLanceStore } from '../src/lancedb-store.ts';
import type { VectorStore } from '../src/vector-store.ts';

/**
 * What a search costs: LanceDB without an index, with one, and exactly in memory, on the same rows.
 * `node --conditions=vortex-source libs/vector-store/bench/search.bench.ts [rows=1400] [searches=200]` prints
 * milliseconds of CPU (all threads of the process) and of time per search for the best five of 384 numbers.
 */
const [rows = 1400, searches = 200] = process.argv.slice(2).map(Number);
const dimension = 384;
const scope = { tenant: 'default', collection: 'bench' };
const log = createLogger({ service: 'bench', level: 'silent' });

const questions = Array.from({ length: 50 }, (_, seed) => seeded(seed, dimension));

async function measured(store: VectorStore) {
  for (let warm = 0; warm < 20; warm += 1) await search(store, warm);
  const [cpu, time] = [process.cpuUsage(), performance.now()];
  for (let number = 0; number < searches; number += 1) await search(store, number);
  const { user, system } = process.cpuUsage(cpu);
  const perSearch = (total: number) => Number((total / searches).toFixed(3));
  return { cpu_ms: perSearch((user + system) / 1000), time_ms: perSearch(performance.now() - time) };
}

function search(store: VectorStore, number: number) {
  const vector = questions[number % questions.length] ?? seeded(number, dimension);
  return store.search(scope, { vector, limit: 5 });
}

const dir = await mkdtemp(join(tmpdir(), 'vortex-bench-'));
try {
  const lance = await openLanceStore({ dir, log, limits: { indexFromRows: Number.POSITIVE_INFINITY } });
  await lance.ensureCollection(scope, { dimension, modelFingerprint: 'bench@1' });
  const chunks = document('doc', 1, rows).map((row) => ({
    ...row,
    text: `${row.text} ${'lorem ipsum dolor sit amet '.repeat(30)}`,
    vector: seeded(row.ordinal + 1_000_000, dimension),
  }));
  for (let from = 0; from < rows; from += 1000) await lance.upsert(scope, chunks.slice(from, from + 1000));
  await lance.upkeep(scope);
  const flat = await measured(lance);
  const exact = await measured(withExactSearch(lance, { exactBelow: rows }));
  await lance.close();
  const indexed = await openLanceStore({ dir, log, limits: { indexFromRows: 1 } });
  const build = performance.now();
  await indexed.upkeep(scope);
  const buildMs = Math.round(performance.now() - build);
  const hnsw = await measured(indexed);
  await indexed.close();
  const rssMb = Math.round(process.memoryUsage().rss / 1e6);
  process.stdout.write(`${JSON.stringify({ rows, flat, hnsw, exact, build_ms: buildMs, rss_mb: rssMb })}\n`);
} finally {
  await rm(dir, { recursive: true, force: true });
}
