import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PrivateRedis, startPrivateRedis } from '@vortex/testkit/private-redis';
import { makePasswords, withLogin } from '../redis/passwords.ts';
import { type RedisUser, usersFile } from '../redis/users-file.ts';

/**
 * A private Redis whose services have the rights they have everywhere, and no more. Who gives no name may do all, unlike
 * elsewhere: it is the suite itself that wipes, fills and follows servers.
 */
export interface RedisWithUsers {
  redis: PrivateRedis;
  /** An address of this server, or of a proxy before it, as a service signs in there. */
  as(user: RedisUser, url: string): string;
  /** For a second server of the same users. */
  args: string[];
  stop(): Promise<void>;
}

export async function startRedisWithUsers(
  options: Parameters<typeof startPrivateRedis>[0] = {},
): Promise<RedisWithUsers> {
  const folder = mkdtempSync(join(tmpdir(), 'vortex-users-'));
  const file = join(folder, 'users.acl');
  const passwords = makePasswords();
  const users = usersFile('queue', passwords).replace(
    /^user default .*$/m,
    'user default on nopass ~* &* +@all',
  );
  writeFileSync(file, users, { mode: 0o600 });
  const args = ['--aclfile', file];
  const redis = await startPrivateRedis({ ...options, args: [...(options.args ?? []), ...args] });
  return {
    redis,
    as: (user, url) => withLogin(url, user, passwords[user]),
    args,
    async stop() {
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
