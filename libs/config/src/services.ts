import { z } from 'zod';
import { sections } from './sections.ts';

const { redis, cache, explain, http, worker, log, metrics, tracing, data, registry, embedding, store } =
  sections;
const { retrieval, llm, mock_llm, gateway, auth, limits, ingest, webhooks } = sections;

const everyProcess = { http, worker, log };
/** What all have who work on the queue. */
const shared = { ...everyProcess, redis, metrics, tracing };
/** What questions pass through. */
const asked = { ...shared, cache, explain };

/** Which sections a service reads. The launcher validates all of them before it starts anything. */
export const serviceConfigs = {
  gateway: z.strictObject({ ...asked, data, registry, embedding, gateway, auth, limits, ingest, webhooks }),
  encoder: z.strictObject({ ...asked, data, embedding }),
  retriever: z.strictObject({ ...asked, data, registry, store, retrieval }),
  'llm-generator': z.strictObject({ ...asked, llm }),
  ingest: z.strictObject({ ...shared, data, registry, embedding, ingest, webhooks }),
  'mock-llm': z.strictObject({ ...everyProcess, mock_llm }),
} as const;

export type ServiceName = keyof typeof serviceConfigs;
export const serviceNames = Object.keys(serviceConfigs) as ServiceName[];
export type ServiceConfig<S extends ServiceName> = z.infer<(typeof serviceConfigs)[S]>;
