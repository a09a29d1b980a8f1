import { readServiceConfig } from '@vortex/config';
import { defaultModel } from '@vortex/embedding';
import { loadDataset, UnreadableDataset } from './bench/dataset.ts';
import { isThere, modelCacheDir, prepareModel } from './prepare-model.ts';
import { CommandProblem } from './problem.ts';
import { ensureRedis } from './redis/install-redis.ts';
import type { Terminal } from './terminal.ts';

export type BenchKind =
  | 'attack'
  | 'cache'
  | 'chain'
  | 'encoder'
  | 'explain'
  | 'query'
  | 'floor'
  | 'ingest-accept'
  | 'ingest'
  | 'observe'
  | 'overload'
  | 'search'
  | 'tenants'
  | 'timings';

const withDataset: readonly BenchKind[] = ['query', 'ingest', 'search'];

/** What every bench is given; each takes what it needs. All start servers of their own and stop them. */
export interface BenchOptions {
  dataset?: string;
  modelsDir: string;
  redisBinary: string;
  onProgress: (line: string) => void;
}

/** A bench's figures. `ok` says whether every bound was kept. */
export type BenchReport = { ok: boolean } & Record<string, unknown>;

/**
 * Runs a bench and prints its report; false when a bound was missed.
 * @throws CommandProblem (exit 2) for a dataset that cannot be read, before anything is started.
 */
export async function runBench(
  kind: BenchKind,
  options: { dataset?: string; json: boolean },
  terminal: Terminal,
): Promise<boolean> {
  if (options.dataset !== undefined && !withDataset.includes(kind)) {
    const others = withDataset.map((one) => `bench ${one}`).join(' and ');
    throw new CommandProblem(`bench ${kind} takes no --dataset; ${others} do.`, { exitCode: 2 });
  }
  if (options.dataset !== undefined) assertReadable(options.dataset);
  const redis = await ensureRedis(terminal, { yes: false });
  const needsModel = kind !== 'ingest-accept';
  if (needsModel && !(await isThere({ model: defaultModel, modelsDir: modelCacheDir }))) {
    const hfEndpoint = process.env.HF_ENDPOINT ?? null;
    await prepareModel({ model: defaultModel, modelsDir: modelCacheDir, hfEndpoint }, terminal);
  }
  const run = await load(kind);
  const report = await run({
    ...(options.dataset !== undefined && { dataset: options.dataset }),
    modelsDir: modelCacheDir,
    redisBinary: redis.path,
    onProgress: (line) => terminal.note(`  ${line}`),
  });
  console.log(options.json ? JSON.stringify(report, null, 2) : flatten(report).join('\n'));
  if (!report.ok) terminal.note('A bound was missed.');
  return report.ok;
}

/** Read here and again by the bench: otherwise a stack may have been started for nothing. */
function assertReadable(dataset: string): void {
  try {
    loadDataset(dataset);
  } catch (error) {
    if (error instanceof UnreadableDataset) throw new CommandProblem(error.message, { exitCode: 2 });
    throw error;
  }
}

async function load(kind: BenchKind): Promise<(options: BenchOptions) => Promise<BenchReport>> {
  switch (kind) {
    case 'attack': {
      const { runAttackBench } = await import('./bench/attack.ts');
      return async (options) => ({ ...(await runAttackBench(options)) });
    }
    case 'cache': {
      const { runCacheBench } = await import('./bench/cache.ts');
      return async (options) => ({ ...(await runCacheBench(options)) });
    }
    case 'chain': {
      const { runChainBench } = await import('./bench/chain.ts');
      return async (options) => ({ ...(await runChainBench(options)) });
    }
    case 'encoder': {
      const { runEncoderBench } = await import('./bench/encoder.ts');
      return async (options) => ({ ...(await runEncoderBench(options)) });
    }
    case 'explain': {
      const { runExplainBench } = await import('./bench/explain.ts');
      return async (options) => ({ ...(await runExplainBench(options)) });
    }
    case 'floor': {
      const { runFloorBench } = await import('./bench/floor.ts');
      const configuredFloor = readServiceConfig('retriever', { env: process.env, confDir: 'conf' }).retrieval
        .relevance_floor;
      return async (options) => ({ ...(await runFloorBench({ ...options, configuredFloor })) });
    }
    case 'ingest-accept': {
      const { runIngestAcceptBench } = await import('./bench/ingest-accept.ts');
      return async (options) => ({ ...(await runIngestAcceptBench(options)) });
    }
    case 'ingest': {
      const { runIngestBench } = await import('./bench/ingest.ts');
      return async (options) => ({ ...(await runIngestBench(options)) });
    }
    case 'observe': {
      const { runObserveBench } = await import('./bench/observe.ts');
      return async (options) => ({ ...(await runObserveBench(options)) });
    }
    case 'overload': {
      const { runOverloadBench } = await import('./bench/overload.ts');
      return async (options) => ({ ...(await runOverloadBench(options)) });
    }
    case 'search': {
      const { runSearchBench } = await import('./bench/search.ts');
      return async (options) => ({ ...(await runSearchBench(options)) });
    }
    case 'tenants': {
      const { runTenantsBench } = await import('./bench/tenants.ts');
      return async (options) => ({ ...(await runTenantsBench(options)) });
    }
    case 'timings': {
      const { runTimingsBench } = await import('./bench/timings.ts');
      return async (options) => ({ ...(await runTimingsBench(options)) });
    }
    case 'query': {
      const { runQueryBench } = await import('./bench/query.ts');
      return async (options) => ({ ...(await runQueryBench(options)) });
    }
  }
}

/** `ratios.throughput_64  5.1`: one line per figure. */
function flatten(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) {
    const shown =
      typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(4) : String(value);
    return [`${path}  ${shown}`];
  }
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten(inner, path === '' ? key : `${path}.${key}`),
  );
}
