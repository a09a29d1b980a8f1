import { z } from 'zod';
import { type SectionName, sections } from './sections.ts';

const { redis, cache, explain, http, worker, log, metrics, tracing, data, registry, embedding, store } =
  sections;
const { retrieval, llm, mock_llm, gateway, auth, limits, ingest, webhooks } = sections;

const everyProcess = { http, worker, log };
/** What all have who work on the queue. */
const shared = { ...everyProcess, redis, metrics, tracing };
/** What questions pass through. */
const asked = { ...shared, cache, explain };

/** What a question may cost, for whoever lets it in. */
const costs = { retrieval: retrieval.pick({ prompt_tokens: true }), llm: llm.pick({ max_tokens: true }) };

/**
 * Which sections, or which settings of one, a service reads: it is given no others. The launcher validates all of them
 * before it starts anything.
 */
export const serviceConfigs = {
  gateway: z.strictObject({
    ...{ ...asked, data, registry, embedding, gateway, auth, limits, ingest, webhooks },
    ...costs,
  }),
  encoder: z.strictObject({ ...asked, data, embedding }),
  retriever: z.strictObject({ ...asked, data, registry, store, retrieval }),
  'llm-generator': z.strictObject({ ...asked, llm }),
  ingest: z.strictObject({ ...shared, data, registry, embedding, ingest, webhooks }),
  'mock-llm': z.strictObject({ ...everyProcess, mock_llm }),
} as const;

export type ServiceName = keyof typeof serviceConfigs;
export const serviceNames = Object.keys(serviceConfigs) as ServiceName[];

/** The settings a service reads, by section. */
export type SettingsRead = ReadonlyMap<SectionName, readonly string[]>;

export function settingsRead(service: ServiceName): SettingsRead {
  const read = Object.entries(serviceConfigs[service].shape) as [SectionName, z.ZodObject][];
  return new Map(read.map(([section, { shape }]) => [section, Object.keys(shape)]));
}

export type ServiceConfig<S extends ServiceName> = z.infer<(typeof serviceConfigs)[S]>;
