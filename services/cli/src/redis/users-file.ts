import { createHash } from 'node:crypto';
import { cacheAccess } from '@vortex/cache/access';
import { exporterCommands, queueAccess } from '@vortex/queue/access';

/**
 * The users of the two Redis servers as an ACL file: one per service, with what it needs and nothing else
 * (libs/queue/src/access.ts says how far that goes). `deploy/redis/` has them for reading and for a Redis of one's own;
 * there they have no password, and a user without one can not log in. Whoever starts a Redis puts hashes of
 * passwords in: make-secrets.ts for containers, up.ts for an instance.
 */
export type RedisServer = 'queue' | 'cache';

export const redisUsers = [
  ...(['gateway', 'encoder', 'retriever', 'generator', 'ingest', 'vortex', 'exporter', 'operator'] as const),
];
export type RedisUser = (typeof redisUsers)[number];
export type RedisPasswords = Readonly<Record<RedisUser, string>>;

/** May be asked whether the server answers, and that is all: a health check needs no password then. */
export const healthUser = { name: 'health', password: 'health' } as const;

interface Access {
  commands: readonly string[];
  keys: readonly string[];
  channels: readonly string[];
}

/** Without passwords: nobody but `health` can log in. */
export function usersFile(server: RedisServer, passwords?: RedisPasswords): string {
  const access = accessOf(server);
  const lines = redisUsers.flatMap((user) => {
    const login = passwords === undefined ? [] : [`#${sha256(passwords[user])}`];
    if (user === 'operator') return userLine(user, login, ['~*', '&*', '+@all']);
    const rights = access[user];
    return rights === undefined ? [] : userLine(user, login, wordsOf(rights));
  });
  return [
    // Whoever gives no name is nobody: off, and without a password. But not without rights: Redis replays the transactions
    // of its append-only file as this user (`execCommand`, 7.0.15), and leaves out what it may not do. Without them a restart
    // lost every write of a script.
    'user default off resetpass ~* &* +@all',
    userLine(healthUser.name, ['nopass'], ['resetchannels', '-@all', '+ping']),
    ...lines,
    '',
  ].join('\n');
}

function accessOf(server: RedisServer): Partial<Record<RedisUser, Access>> {
  if (server === 'queue') return queueAccess();
  return { ...cacheAccess(), exporter: { commands: [...exporterCommands].sort(), keys: [], channels: [] } };
}

function wordsOf({ keys, channels, commands }: Access): string[] {
  return [
    'resetchannels',
    ...keys,
    ...channels.map((channel) => `&${channel}`),
    '-@all',
    ...commands.map((command) => `+${command}`),
  ];
}

function userLine(user: string, login: readonly string[], rights: readonly string[]): string {
  return ['user', user, 'on', 'sanitize-payload', ...login, ...rights].join(' ');
}

function sha256(password: string): string {
  return createHash('sha256').update(password).digest('hex');
}
