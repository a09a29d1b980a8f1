import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Pool } from 'undici';
import { askInClosedLoop } from './ask-in-closed-loop.ts';
import { percentile } from './percentile.ts';
import { startPrivateStack } from './private-stack.ts';

/**
 * What one tenant's flood does to another, on a private stack whose language model is the limit, as in every real
 * installation (6 slots, 400 ms an answer): a quiet tenant asks one question after the other, first alone, then beside
 * 10,000 questions of another that come as fast as 64 connections bring them, then beside 1,000 documents.
 *
 * Then on a stack whose model answers at once: there the processors are the limit, and whoever has the chain for one
 * question at a time has a part of them. So the flood is compared with a neighbour that asks one question after the other
 * as well, without a flood: what is left is what the flood costs by being one. Its bound is on that.
 */
export interface TenantsBenchOptions {
  modelsDir: string;
  /** Of each of the three times. */
  seconds?: number;
  onProgress?: (line: string) => void;
}

interface Beside {
  p50_ms: number;
  p95_ms: number;
  answers: number;
  errors: number;
  /** P95 by that without a flood. */
  p95_ratio: number;
}

export interface TenantsBenchReport {
  machine: { cpus: number; model: string };
  alone: Omit<Beside, 'p95_ratio'>;
  queries: Beside & { flood_sent: number; flood_answered: number };
  uploads: Beside & { flood_sent: number; flood_accepted: number };
  /** A model that answers at once; `p95_ratio` by that alone, `flood_by_neighbour` by that beside one question at a time. */
  processors: {
    alone: Omit<Beside, 'p95_ratio'>;
    neighbour: Beside;
    queries: Beside & { flood_sent: number; flood_answered: number };
    flood_by_neighbour: number;
  };
  bounds: { p95_ratio_max: number; flood_by_neighbour_max: number };
  ok: boolean;
}

/** 14.3 to 18 ms were measured beside a flood, 12 beside one question at a time. */
const bounds = { p95_ratio_max: 1.2, flood_by_neighbour_max: 1.6 };
const floodQueries = 10_000;
const floodUploads = 1000;
const launcher = join(import.meta.dirname, '../../../../vortex');
const run = promisify(execFile);
const texts = Array.from({ length: 500 }, (_, number) => `What does stage ${number} of the chain do?`);

export async function runTenantsBench(options: TenantsBenchOptions): Promise<TenantsBenchReport> {
  const slowModel = await measureSlowModel(options);
  const processors = await measureProcessors(options);
  const isFair = processors.flood_by_neighbour <= bounds.flood_by_neighbour_max;
  const errors = processors.alone.errors + processors.neighbour.errors + processors.queries.errors;
  return {
    machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
    ...slowModel,
    processors,
    bounds,
    ok: slowModel.ok && isFair && errors === 0,
  };
}

async function measureProcessors(options: TenantsBenchOptions): Promise<TenantsBenchReport['processors']> {
  const { modelsDir, seconds = 60, onProgress = () => {} } = options;
  onProgress('starting a stack whose model answers at once');
  const stack = await startPrivateStack({ modelsDir, withDocs: true });
  try {
    const [quiet, loud] = [await keyOf(stack.dataDir, 'quiet'), await keyOf(stack.dataDir, 'loud')];
    for (const key of [quiet, loud]) await fill(stack.url, key);
    const ask = async (key: string, forMs = seconds * 1000) => {
      const countFrom = performance.now();
      const loop = { url: stack.url, collection: 'default', texts, inFlight: 1, key };
      return shown(await askInClosedLoop({ ...loop, countFrom, until: countFrom + forMs }));
    };
    onProgress('the quiet tenant alone');
    await ask(quiet, 3000);
    const alone = await ask(quiet);
    const compared = (beside: Omit<Beside, 'p95_ratio'>) => ({
      ...beside,
      p95_ratio: beside.p95_ms / alone.p95_ms,
    });
    onProgress('beside another that asks one question at a time');
    const [besideOne] = await Promise.all([ask(quiet), ask(loud)]);
    const neighbour = compared(besideOne);
    onProgress(`beside ${floodQueries} questions of another`);
    const flood = floodOfQueries(stack.url, loud);
    // Within a second of its begin the chain has become narrow.
    await ask(quiet, 1000);
    const beside = compared(await ask(quiet));
    const { sent, answered } = await flood.stop();
    return {
      ...{ alone, neighbour },
      queries: { ...beside, flood_sent: sent, flood_answered: answered },
      flood_by_neighbour: beside.p95_ms / neighbour.p95_ms,
    };
  } finally {
    await stack.stop();
  }
}

async function measureSlowModel(
  options: TenantsBenchOptions,
): Promise<Omit<TenantsBenchReport, 'machine' | 'processors' | 'bounds'>> {
  const { modelsDir, seconds = 60, onProgress = () => {} } = options;
  onProgress('starting a private stack');
  const settings = ['llm.slots=2', 'mock_llm.latency_ms=400'];
  const stack = await startPrivateStack({ modelsDir, withDocs: true, settings });
  try {
    const [quiet, loud] = [await keyOf(stack.dataDir, 'quiet'), await keyOf(stack.dataDir, 'loud')];
    for (const key of [quiet, loud]) await fill(stack.url, key);
    const ask = async () => {
      const countFrom = performance.now();
      const loop = { url: stack.url, collection: 'default', texts, inFlight: 1, key: quiet };
      return shown(await askInClosedLoop({ ...loop, countFrom, until: countFrom + seconds * 1000 }));
    };
    onProgress('the quiet tenant alone');
    await askInClosedLoop({
      ...{ url: stack.url, collection: 'default', texts, inFlight: 1, key: quiet },
      ...{ countFrom: 0, until: performance.now() + 3000 },
    });
    const alone = await ask();
    const compared = (beside: Omit<Beside, 'p95_ratio'>) => ({
      ...beside,
      p95_ratio: beside.p95_ms / alone.p95_ms,
    });

    onProgress(`beside ${floodQueries} questions of another`);
    const queryFlood = floodOfQueries(stack.url, loud);
    const besideQueries = compared(await ask());
    const queriesSent = await queryFlood.stop();

    onProgress(`beside ${floodUploads} documents of another`);
    const uploadFlood = startFlood(stack.url, loud, { count: floodUploads, inFlight: 16 }, (number) => ({
      path: '/api/documents',
      body: { title: `Flood ${number}`, text: `Number ${number}. ${passage.repeat(20)}` },
    }));
    const besideUploads = compared(await ask());
    const uploadsSent = await uploadFlood.stop();
    const isWithin = (beside: Beside) => beside.p95_ratio <= bounds.p95_ratio_max && beside.errors === 0;
    return {
      alone,
      queries: { ...besideQueries, flood_sent: queriesSent.sent, flood_answered: queriesSent.answered },
      uploads: { ...besideUploads, flood_sent: uploadsSent.sent, flood_accepted: uploadsSent.answered },
      ok: alone.errors === 0 && isWithin(besideQueries) && isWithin(besideUploads),
    };
  } finally {
    await stack.stop();
  }
}

const passage =
  'A stage takes a job from its list, does its part, and hands it on in one step, so that none is lost. ';

async function keyOf(dataDir: string, tenant: string): Promise<string> {
  const words = ['keys', 'create', '--tenant', tenant, '--scopes', 'query,ingest', '--json'];
  const { stdout } = await run(launcher, [...words, '--data', dataDir]);
  return (JSON.parse(stdout) as { key: string }).key;
}

/** One document, so that the model has something to answer from. */
async function fill(url: string, key: string): Promise<void> {
  const pool = new Pool(url, { connections: 1 });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  try {
    const text = texts.slice(0, 40).join(' ') + passage.repeat(5);
    const accepted = await pool.request({
      ...{ path: '/api/documents', method: 'POST', headers },
      body: JSON.stringify({ title: 'The chain', text }),
    });
    const { job_id: id } = (await accepted.body.json()) as { job_id: string };
    const ended = await pool.request({ path: `/api/jobs/${id}?wait=60s`, method: 'GET', headers });
    const { status } = (await ended.body.json()) as { status: string };
    if (status !== 'completed') throw new Error(`the document of the bench ended as ${status}`);
  } finally {
    await pool.close();
  }
}

function shown({ latencies, errors }: { latencies: number[]; errors: number }): Omit<Beside, 'p95_ratio'> {
  const sorted = latencies.toSorted((one, other) => one - other);
  const at = (part: number) => percentile(sorted, part);
  return { p50_ms: at(50), p95_ms: at(95), answers: sorted.length, errors };
}

function floodOfQueries(url: string, key: string): ReturnType<typeof startFlood> {
  return startFlood(url, key, { count: floodQueries, inFlight: 64 }, (number) => ({
    path: '/query',
    body: { query: `${texts[number % texts.length]} (${number})`, cache: 'bypass' },
  }));
}

/** As fast as its connections bring it, until all is sent or it is stopped; what is under way then is dropped. */
function startFlood(
  url: string,
  key: string,
  { count, inFlight }: { count: number; inFlight: number },
  requestOf: (number: number) => { path: string; body: object },
): { stop(): Promise<{ sent: number; answered: number }> } {
  const pool = new Pool(url, { connections: inFlight, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const stopping = new AbortController();
  const { signal } = stopping;
  let sent = 0;
  let answered = 0;
  const senders = Array.from({ length: inFlight }, async () => {
    while (!signal.aborted && sent < count) {
      const { path, body } = requestOf(sent++);
      try {
        const reply = await pool.request({
          ...{ path, method: 'POST', signal, body: JSON.stringify(body) },
          headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        });
        await reply.body.dump();
        if (reply.statusCode < 300) answered += 1;
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  });
  return {
    async stop() {
      stopping.abort();
      await Promise.all(senders);
      await pool.destroy();
      return { sent, answered };
    },
  };
}
