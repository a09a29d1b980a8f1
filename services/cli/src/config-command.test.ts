import { describe, expect, it } from 'vitest';
import { configText } from './config-command.ts';

const canary = 'c4nary-s3cret';
const env = {
  REDIS_URL: `redis://operator:${canary}@127.0.0.1:6379`,
  CACHE_REDIS_URL: `redis://:${canary}@127.0.0.1:6380`,
  DATABASE_URL: `postgres://vortex:${canary}@db/vortex?sslmode=require`,
  OPENAI_API_KEY: canary,
  OPENAI_BASE_URL: `http://user:${canary}@models.internal/v1`,
  QDRANT_API_KEY: canary,
  VORTEX__AUTH__PEPPER: `${canary}-0123456789-0123456789-0123456789`,
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://agent:${canary}@otel:4318`,
};

describe('config print', () => {
  it.each([false, true])('shows every setting and no secret (json: %s)', (json) => {
    const text = configText({ set: ['gateway.max_live_queries=7'], json }, env);
    expect(text).not.toContain(canary);
    expect(text).toMatch(json ? /"max_live_queries": 7/ : /^gateway\.max_live_queries=7$/m);
    expect(text).toContain('operator:••••@127.0.0.1:6379');
    expect(text).toContain('postgres://vortex:••••@db/vortex?sslmode=require');
  });

  it('shows one service, and says which there are', () => {
    const text = configText({ service: 'encoder', set: [], json: false }, {});
    expect(text).toMatch(/^# encoder\n/);
    expect(text).not.toContain('# gateway');
    expect(() => configText({ service: 'oven', set: [], json: false }, {})).toThrow(/no service oven/);
  });
});
