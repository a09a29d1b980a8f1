import type { ServiceConfig } from '@vortex/config';
import type { ModelClient } from './model-client.ts';
import { createOllamaClient } from './ollama-client.ts';
import { createOpenaiClient } from './openai-client.ts';

type LlmSettings = ServiceConfig<'llm-generator'>['llm'];

// A local Ollama shares one machine among its generations; a hosted or batching server gains from many.
const defaults = {
  ollama: { slots: 4, model: 'llama3.2' },
  openai: { slots: 20, model: 'gpt-4o-mini' },
} as const;

/** Generations this replica runs at a time. */
export function slotsOf({ backend, slots }: LlmSettings): number {
  return slots > 0 ? slots : defaults[backend].slots;
}

/** The language model that the configuration names. Nothing is asked of it yet: it may come up later. */
export function createModelClient(settings: LlmSettings): ModelClient {
  const model = settings.model ?? defaults[settings.backend].model;
  const slots = slotsOf(settings);
  if (settings.backend === 'ollama') return createOllamaClient({ url: settings.ollama_url, model, slots });
  return createOpenaiClient({
    baseUrl: settings.openai_base_url,
    apiKey: settings.openai_api_key,
    model,
    slots,
  });
}
