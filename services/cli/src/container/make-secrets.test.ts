import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSecrets } from './make-secrets.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-made-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const read = (name: string) => readFileSync(join(folder, name), 'utf8').trim();

describe('makeSecrets', () => {
  it('gives server and client the same password, and no two servers one', () => {
    makeSecrets(folder);
    const passwordOf = (name: string) => new URL(read(`${name}_url`)).password;
    for (const name of ['redis', 'cache', 'valkey'])
      expect(read(`${name}.conf`)).toContain(`requirepass ${passwordOf(name)}\n`);
    expect(read('qdrant.yaml')).toContain(read('qdrant_api_key'));
    expect(read('database_url')).toContain(read('postgres_password'));
    const exporter = JSON.parse(read('exporter.json')) as Record<string, string>;
    expect(exporter['redis://redis:6379']).toBe(passwordOf('redis'));
    expect(exporter['redis://cache:6379']).toBe(passwordOf('cache'));
    const passwords = [
      passwordOf('redis'),
      passwordOf('cache'),
      read('qdrant_api_key'),
      read('grafana_password'),
    ];
    expect(new Set(passwords).size).toBe(4);
    for (const password of passwords) expect(password).toMatch(/^[0-9a-f]{48}$/);
  });

  it('changes nothing that is there, and makes a group anew of which a file is missing', () => {
    const first = makeSecrets(folder);
    expect(first.length).toBe(readdirSync(folder).length);
    const redis = read('redis_url');
    expect(makeSecrets(folder)).toEqual([]);
    rmSync(join(folder, 'qdrant_api_key'));
    expect(makeSecrets(folder)).toEqual(['qdrant.yaml', 'qdrant_api_key']);
    expect(read('redis_url')).toBe(redis);
    expect(read('qdrant.yaml')).toContain(read('qdrant_api_key'));
  });

  it('leaves files that nobody can write to and every server can read', () => {
    makeSecrets(folder);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o444);
  });
});
