import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSecrets } from './make-secrets.ts';

let folder: string;
let folders: { servers: string; services: string };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-made-'));
  folders = { servers: join(folder, 'servers'), services: join(folder, 'services') };
});
afterEach(() => rmSync(folder, { recursive: true }));
const read = (name: string) => readFileSync(join(folder, name), 'utf8').trim();
const hashOf = (password: string) => `#${createHash('sha256').update(password).digest('hex')} `;
const services = ['gateway', 'encoder', 'retriever', 'generator', 'ingest'];

describe('makeSecrets', () => {
  it('gives server and client the same password, and no two of them one', () => {
    makeSecrets(folders);
    const passwords: string[] = [];
    for (const service of [...services, 'operator']) {
      for (const server of ['redis', 'valkey', ...(service === 'ingest' ? [] : ['cache'])]) {
        const url = new URL(read(`services/${service}/${server}_url`));
        expect([url.username, url.host]).toEqual([service, `${server}:6379`]);
        expect(read(`servers/${server}.acl`)).toContain(
          `user ${service} on sanitize-payload ${hashOf(url.password)}`,
        );
        passwords.push(url.password);
      }
    }
    const exporter = JSON.parse(read('services/exporter/exporter.json')) as Record<string, string>;
    for (const server of ['redis', 'cache', 'valkey']) {
      const password = exporter[`redis://exporter@${server}:6379`] ?? '';
      expect(read(`servers/${server}.acl`)).toContain(
        `user exporter on sanitize-payload ${hashOf(password)}`,
      );
      passwords.push(password);
    }
    expect(read('servers/qdrant.yaml')).toContain(read('services/retriever/qdrant_api_key'));
    expect(read('services/ingest/database_url')).toContain(read('servers/postgres_password'));
    passwords.push(read('services/retriever/qdrant_api_key'), read('servers/grafana_password'));
    passwords.push(read('servers/postgres_password'));
    expect(new Set(passwords).size).toBe(passwords.length);
    for (const password of passwords) expect(password).toMatch(/^[0-9a-f]{48}$/);
  });

  it('tells a service its own passwords only, and the servers of Redis none', () => {
    makeSecrets(folders);
    const operator = new URL(read('services/operator/redis_url')).password;
    for (const service of services) {
      const own = readdirSync(join(folders.services, service));
      expect(own.filter((name) => /_url$/.test(name) && name !== 'database_url').length).toBeGreaterThan(1);
      for (const name of own) expect(read(`services/${service}/${name}`)).not.toContain(operator);
    }
    for (const server of ['redis', 'cache', 'valkey'])
      expect(read(`servers/${server}.acl`)).not.toContain(operator);
  });

  it('changes nothing that is there, and makes a group anew of which a file is missing', () => {
    const first = makeSecrets(folders);
    const redis = read('services/gateway/redis_url');
    const postgres = read('servers/postgres_password');
    expect(makeSecrets(folders)).toEqual([]);
    rmSync(join(folders.services, 'retriever/qdrant_api_key'));
    rmSync(join(folders.services, 'ingest/database_url'));
    const again = makeSecrets(folders).map((path) => path.slice(folder.length + 1));
    expect(again.slice(0, 2)).toEqual(['servers/qdrant.yaml', 'services/retriever/qdrant_api_key']);
    expect(first.length).toBeGreaterThan(again.length);
    expect(read('services/gateway/redis_url')).toBe(redis);
    expect(read('servers/postgres_password')).toBe(postgres);
    expect(read('servers/qdrant.yaml')).toContain(read('services/retriever/qdrant_api_key'));
  });

  it('leaves files that nobody can write to, and that of servers and exporter alone all can read', () => {
    for (const path of makeSecrets(folders))
      expect(statSync(path).mode & 0o777, path).toBe(
        /^(?:servers|services\/exporter)\//.test(path.slice(folder.length + 1)) ? 0o444 : 0o400,
      );
  });
});
