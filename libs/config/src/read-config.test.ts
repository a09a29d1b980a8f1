import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeSettings, maskSecrets, secretValues } from './describe.ts';
import { InvalidConfiguration, readServiceConfig } from './read-config.ts';
import { serviceNames } from './services.ts';

let confDir: string;
beforeEach(() => {
  confDir = mkdtempSync(join(tmpdir(), 'vortex-conf-'));
});
afterEach(() => rmSync(confDir, { recursive: true }));

function problemsOf(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof InvalidConfiguration)
      return error.problems.map(({ path, origin }) => `${path} < ${origin}`);
    throw error;
  }
  return [];
}

describe('readServiceConfig', () => {
  it('has working defaults for every service', () => {
    for (const service of serviceNames) expect(readServiceConfig(service, { env: {} })).toBeTypeOf('object');
  });

  it('lets the environment win over the file, and the full name over the plain one', () => {
    writeFileSync(join(confDir, 'retriever.yaml'), 'retrieval:\n  top_k: 3\n  prompt_tokens: 900\n');
    const env = {
      VORTEX__RETRIEVAL__TOP_K: '9',
      REDIS_URL: 'redis://plain:1',
      VORTEX__REDIS__URL: 'redis://full:2',
    };
    const config = readServiceConfig('retriever', { env, confDir });
    expect(config.retrieval).toMatchObject({ top_k: 9, prompt_tokens: 900 });
    expect(config.redis.url).toBe('redis://full:2');
  });

  it('understands the host and port names', () => {
    expect(readServiceConfig('encoder', { env: { REDIS_HOST: 'redis' } }).redis.url).toBe(
      'redis://redis:6379',
    );
    expect(readServiceConfig('encoder', { env: { REDIS_ADDR: 'r:7000' } }).redis.url).toBe('redis://r:7000');
  });

  it('reports every problem at once, with where it came from', () => {
    writeFileSync(
      join(confDir, 'retriever.yaml'),
      'retrieval:\n  top_k: many\n  topk: 3\nstroe:\n  exact_below: 1\n',
    );
    const env = { VORTEX__LOG__LEVEL: 'loud', VORTEX__NOPE__X: '1' };
    expect(problemsOf(() => readServiceConfig('retriever', { env, confDir }))).toEqual(
      expect.arrayContaining([
        'retrieval.top_k < conf/retriever.yaml',
        'retrieval.topk < conf/retriever.yaml',
        'log.level < VORTEX__LOG__LEVEL',
        'nope.x < VORTEX__NOPE__X',
        'stroe < conf/retriever.yaml',
      ]),
    );
  });

  it('says where YAML breaks, and shows no secret', () => {
    writeFileSync(join(confDir, 'encoder.yaml'), 'log:\n  level: [');
    expect(() => readServiceConfig('encoder', { env: {}, confDir })).toThrow(/not valid YAML/);
    expect(() => readServiceConfig('encoder', { env: { REDIS_URL: 'http://u:hunter2@h' } })).toThrow(
      /^(?!.*hunter2)/s,
    );
  });

  it('freezes what it returns', () => {
    expect(Object.isFrozen(readServiceConfig('gateway', { env: {} }).gateway)).toBe(true);
  });
});

describe('describeSettings', () => {
  it('explains each setting', () => {
    expect(describeSettings().filter(({ about }) => about === '')).toEqual([]);
  });
});

describe('maskSecrets', () => {
  it('hides keys and passwords, keeps hosts', () => {
    const shown = JSON.stringify(
      maskSecrets(
        readServiceConfig('llm-generator', {
          env: { OPENAI_API_KEY: 'sk-1', REDIS_URL: 'redis://u:pw@host:1' },
        }),
      ),
    );
    expect(shown).not.toMatch(/sk-1|pw/);
    expect(shown).toContain('host:1');
    const inQuery = maskSecrets({ registry: { database_url: 'postgres://host/vortex?password=in-query' } });
    expect(inQuery).toEqual({ registry: { database_url: 'postgres://host/vortex?password=••••' } });
  });
});

describe('a password with a bare % in it', () => {
  const config = { redis: { url: 'redis://user:half%zz@host:6379' } };

  it('is masked, and stops nobody', () => {
    expect(maskSecrets(config)).toEqual({ redis: { url: 'redis://user:••••@host:6379' } });
    expect(secretValues(config)).toEqual(['half%zz']);
  });

  it('is known in both spellings where it escapes something', () => {
    expect(secretValues({ redis: { url: 'redis://user:half%40hour@host' } })).toEqual([
      'half%40hour',
      'half@hour',
    ]);
  });
});
