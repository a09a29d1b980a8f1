import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The one-shot `secrets` service of docker-compose.yml. A fresh `docker compose up` needs no key from anybody,
 * and still no password stands in a file of the repository, in an environment or in an image: they are made
 * here, once, into a volume that the services mount read-only. What is there is never changed; to renew, stop the stack and
 * remove the volume (PostgreSQL and Grafana keep the password they were set up with).
 *
 * Readable by all: the servers run as other users, and only they have the volume.
 */
export function makeSecrets(folder: string): string[] {
  const redis = randomPassword();
  const cache = randomPassword();
  const valkey = randomPassword();
  const postgres = randomPassword();
  const qdrant = randomPassword();
  // Servers and their clients must agree, so each group is written as a whole or not at all.
  const groups: Record<string, string>[] = [
    {
      'redis.conf': redisConf(redis),
      redis_url: `redis://:${redis}@redis:6379`,
      'cache.conf': redisConf(cache),
      cache_url: `redis://:${cache}@cache:6379`,
      'valkey.conf': redisConf(valkey),
      valkey_url: `redis://:${valkey}@valkey:6379`,
      'exporter.json': JSON.stringify({
        'redis://redis:6379': redis,
        'redis://cache:6379': cache,
        'redis://valkey:6379': valkey,
      }),
    },
    { 'qdrant.yaml': `service:\n  api_key: ${qdrant}\n`, qdrant_api_key: qdrant },
    {
      postgres_password: postgres,
      database_url: `postgres://vortex:${postgres}@postgres:5432/vortex`,
    },
    { grafana_password: randomPassword() },
  ];
  mkdirSync(folder, { recursive: true });
  const written: string[] = [];
  for (const group of groups) {
    const files = Object.keys(group);
    if (files.every((name) => existsSync(join(folder, name)))) continue;
    for (const [name, content] of Object.entries(group)) {
      const part = join(folder, `.${name}.part`);
      writeFileSync(part, content.endsWith('\n') ? content : `${content}\n`, { mode: 0o444 });
      renameSync(part, join(folder, name));
      written.push(name);
    }
  }
  return written;
}

/** `health` may only be asked whether the server answers: the health check needs no password then. */
function redisConf(password: string): string {
  return [`requirepass ${password}`, 'user health on nopass -@all +ping', ''].join('\n');
}

/** 192 bits; letters and digits alone, for it stands in URLs and configuration files. */
function randomPassword(): string {
  return randomBytes(24).toString('hex');
}

if (import.meta.main) {
  const folder = process.argv[2] ?? '/run/vortex';
  const written = makeSecrets(folder);
  console.log(
    written.length === 0 ? `${folder}: nothing to make` : `${folder}: made ${written.length} files`,
  );
}
