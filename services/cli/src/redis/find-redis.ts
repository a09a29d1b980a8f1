import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface RedisBinary {
  path: string;
  kind: 'redis' | 'valkey';
  version: string;
}

export interface RedisSearch {
  /** The first that is new enough. */
  found: RedisBinary | null;
  /** Those that are there but too old. */
  tooOld: RedisBinary[];
}

/** Script flags came with Redis 7.0: without `allow-oom` a full Redis could not even finish what it holds. */
const floor = { redis: [7, 0], valkey: [7, 2] } as const;

/** Package managers put servers where an ordinary user's PATH does not look. */
const moreFolders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

export function findRedis(path: string = process.env.PATH ?? ''): RedisSearch {
  const folders = [...new Set([...path.split(delimiter).filter(Boolean), ...moreFolders])];
  const tooOld: RedisBinary[] = [];
  for (const kind of ['redis', 'valkey'] as const) {
    for (const folder of folders) {
      const file = join(folder, `${kind}-server`);
      const version = versionOf(file);
      if (version === null) continue;
      const binary = { path: file, kind, version };
      if (isNewEnough(kind, version)) return { found: binary, tooOld };
      tooOld.push(binary);
    }
  }
  return { found: null, tooOld };
}

export function isNewEnough(kind: 'redis' | 'valkey', version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor, wantedMinor] = floor[kind];
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** `Redis server v=7.0.15 sha=…`, `Valkey server v=8.0.1 …` */
export function parseVersion(output: string): string | null {
  return /\bv=(\d+\.\d+\.\d+)/.exec(output)?.[1] ?? null;
}

function versionOf(file: string): string | null {
  try {
    accessSync(file, constants.X_OK);
    return parseVersion(execFileSync(file, ['--version'], { encoding: 'utf8', timeout: 5000 }));
  } catch {
    return null;
  }
}
