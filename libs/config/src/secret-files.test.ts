import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidConfiguration, readServiceConfig } from './read-config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-secrets-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function fileWith(content: string): string {
  const file = join(folder, 'secret');
  writeFileSync(file, content);
  return file;
}

function problemsOf(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof InvalidConfiguration)
      return error.problems.map(({ path, message, origin }) => `${path} ${message} < ${origin}`);
    throw error;
  }
  return [];
}

describe('secrets in files', () => {
  it('are read under the plain and the full name, without the newline at the end', () => {
    const file = fileWith('redis://:hunter2@redis:6379\n');
    for (const name of ['REDIS_URL_FILE', 'VORTEX__REDIS__URL_FILE']) {
      const config = readServiceConfig('encoder', { env: { [name]: file } });
      expect(config.redis.url).toBe('redis://:hunter2@redis:6379');
    }
  });

  it('count as absent when the file is empty', () => {
    const env = { OPENAI_API_KEY_FILE: fileWith('\n') };
    expect(readServiceConfig('llm-generator', { env }).llm.openai_api_key).toBeNull();
  });

  it('are a problem when they cannot be read or are given twice, and the value is not shown', () => {
    const gone = join(folder, 'gone');
    const file = fileWith('redis://:hunter2@redis:6379');
    const env = { REDIS_URL: 'redis://other:1', REDIS_URL_FILE: file, CACHE_REDIS_URL_FILE: gone };
    const problems = problemsOf(() => readServiceConfig('encoder', { env }));
    expect(problems).toEqual([
      'redis.url is given twice: REDIS_URL is set as well < REDIS_URL_FILE',
      `cache.url its file ${gone} cannot be read (ENOENT) < CACHE_REDIS_URL_FILE`,
    ]);
  });

  it('of other services are not opened, and other settings have no file', () => {
    const env = { OPENAI_API_KEY_FILE: join(folder, 'gone'), VORTEX__LOG__LEVEL_FILE: 'x' };
    expect(problemsOf(() => readServiceConfig('encoder', { env }))).toEqual([
      'log.level_file there is no such setting < VORTEX__LOG__LEVEL_FILE',
    ]);
  });
});
