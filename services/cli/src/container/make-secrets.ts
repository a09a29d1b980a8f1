import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makePasswords, randomPassword, withLogin } from '../redis/passwords.ts';
import { type RedisPasswords, type RedisServer, type RedisUser, usersFile } from '../redis/users-file.ts';

/**
 * The one-shot `make_secrets` service of docker-compose.yml. A fresh `docker compose up` needs no key from anybody,
 * and still no password stands in a file of the repository, in an environment or in an image: they are made
 * here, once, into volumes that their readers mount read-only. What is there is never changed; to renew, stop the stack
 * and remove the volumes (PostgreSQL and Grafana keep the password they were set up with).
 *
 * - `servers` is what Redis, Qdrant, PostgreSQL and Grafana read, and none of our services. Readable by
 *   all: they run as other users. Of the passwords of Redis it holds hashes.
 * - Each folder below `services` is one service's, and holds what this one signs in with. A service that was taken over can
 *   tell no other's password. The exporter of Redis has one too, readable by all: it runs as a user of its own.
 */
export function makeSecrets(folders: { servers: string; services: string }): string[] {
  const servers = (name: string) => join(folders.servers, name);
  const of = (service: string, name: string) => join(folders.services, service, name);
  // PostgreSQL keeps the one it was set up with.
  const postgres = read(servers('postgres_password')) ?? randomPassword();
  const qdrant = randomPassword();
  // Servers and their clients must agree, so each group is written as a whole or not at all.
  const groups: Record<string, string>[] = [
    redisFiles(servers, of),
    {
      [servers('qdrant.yaml')]: `service:\n  api_key: ${qdrant}\n`,
      [of('retriever', 'qdrant_api_key')]: qdrant,
    },
    {
      [servers('postgres_password')]: postgres,
      ...Object.fromEntries(
        ['gateway', 'retriever', 'ingest'].map((service) => [
          of(service, 'database_url'),
          `postgres://vortex:${postgres}@postgres:5432/vortex`,
        ]),
      ),
    },
    { [servers('grafana_password')]: randomPassword() },
  ];
  const isForOthers = (path: string) => [folders.servers, of('exporter', '.')].includes(dirname(path));
  const written: string[] = [];
  for (const group of groups) {
    const files = Object.keys(group);
    if (files.every((path) => existsSync(path))) continue;
    for (const [path, content] of Object.entries(group)) {
      mkdirSync(dirname(path), { recursive: true });
      const part = `${path}.part`;
      writeFileSync(part, content.endsWith('\n') ? content : `${content}\n`, {
        mode: isForOthers(path) ? 0o444 : 0o400,
      });
      renameSync(part, path);
      written.push(path);
    }
  }
  return written;
}

/** Which servers a service speaks to. The operator's folder no container mounts but this one. */
const clients = {
  gateway: ['redis', 'valkey', 'cache'],
  encoder: ['redis', 'valkey', 'cache'],
  retriever: ['redis', 'valkey', 'cache'],
  generator: ['redis', 'valkey', 'cache'],
  ingest: ['redis', 'valkey'],
  operator: ['redis', 'valkey', 'cache'],
} as const satisfies Partial<Record<RedisUser, readonly string[]>>;

function redisFiles(
  servers: (name: string) => string,
  of: (service: string, name: string) => string,
): Record<string, string> {
  const kinds: Record<string, RedisServer> = { redis: 'queue', valkey: 'queue', cache: 'cache' };
  const passwords: Record<string, RedisPasswords> = {};
  for (const server of Object.keys(kinds)) passwords[server] = makePasswords();
  const urlOf = (server: string, user: RedisUser) =>
    withLogin(`redis://${server}:6379`, user, passwords[server]?.[user] ?? '');
  const exporter = Object.keys(kinds).map((server) => [
    `redis://exporter@${server}:6379`,
    passwords[server]?.exporter ?? '',
  ]);
  return {
    ...Object.fromEntries(
      Object.entries(kinds).map(([server, kind]) => [
        servers(`${server}.acl`),
        usersFile(kind, passwords[server]),
      ]),
    ),
    // The exporter looks a server up by its address with the user's name in it.
    [of('exporter', 'exporter.json')]: JSON.stringify(Object.fromEntries(exporter)),
    ...Object.fromEntries(
      Object.entries(clients).flatMap(([user, known]) =>
        known.map((server) => [of(user, `${server}_url`), urlOf(server, user as RedisUser)]),
      ),
    ),
  };
}

function read(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : null;
}

if (import.meta.main) {
  const [servers = '/run/vortex', services = '/run/vortex_services'] = process.argv.slice(2);
  const written = makeSecrets({ servers, services });
  console.log(written.length === 0 ? 'there is nothing to make' : `made ${written.length} files`);
}
