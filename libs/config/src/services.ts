import { z } from 'zod';
import { sections } from './sections.ts';

const { redis, cache, explain, http, worker, log, metrics, tracing, data, registry, embedding, store } =
  sections;
const { retrieval, llm, mock_llm, gateway, ingest, webhooks } = sections;

/** Which sections a service reads. The launcher validates all of them before it starts anything. */
export const serviceConfigs = {
  gateway: z.strictObject({
    ...{
      redis,
      cache,
      explain,
      http,
      worker,
      log,
      metrics,
      tracing,
      data,
      registry,
      embedding,
      gateway,
      ingest,
      webhooks,
    },
  }),
  encoder: z.strictObject({ redis, cache, explain, http, worker, log, metrics, tracing, data, embedding }),
  retriever: z.strictObject({
    redis,
    cache,
    explain,
    http,
    worker,
    log,
    metrics,
    tracing,
    data,
    registry,
    store,
    retrieval,
  }),
  'llm-generator': z.strictObject({ redis, cache, explain, http, worker, log, metrics, tracing, llm }),
  ingest: z.strictObject({
    redis,
    http,
    worker,
    log,
    metrics,
    tracing,
    data,
    registry,
    embedding,
    ingest,
    webhooks,
  }),
  'mock-llm': z.strictObject({ http, worker, log, mock_llm }),
} as const;

export type ServiceName = keyof typeof serviceConfigs;
export const serviceNames = Object.keys(serviceConfigs) as ServiceName[];
export type ServiceConfig<S extends ServiceName> = z.infer<(typeof serviceConfigs)[S]>;
