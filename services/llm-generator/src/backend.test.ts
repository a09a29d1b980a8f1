import { readServiceConfig } from '@vortex/config';
import { expect, test } from 'vitest';
import { createModelClient, slotsOf } from './backend.ts';

const llm = (env: Record<string, string>) => readServiceConfig('llm-generator', { env }).llm;

test.each([
  [{}, 'ollama', 'llama3.2', 4],
  [{ LLM_BACKEND: 'openai' }, 'openai', 'gpt-4o-mini', 20],
  [{ OLLAMA_MODEL: 'qwen3', VORTEX__LLM__SLOTS: '7' }, 'ollama', 'qwen3', 7],
])('%o is %s with %s and %i slots', async (env, provider, model, slots) => {
  const client = createModelClient(llm(env as Record<string, string>));
  expect(client).toMatchObject({ provider, model });
  expect(slotsOf(llm(env as Record<string, string>))).toBe(slots);
  await client.close();
});
