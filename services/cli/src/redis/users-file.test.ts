import { join } from 'node:path';
import { scriptNames } from '@vortex/queue';
import { queueRoles, scriptsOf } from '@vortex/queue/access';
import { expect, test } from 'vitest';
import { repositoryRoot } from '../folders.ts';
import { type RedisPasswords, redisUsers, usersFile } from './users-file.ts';

test.each([
  ['queue', 'users.acl'],
  ['cache', 'cache-users.acl'],
] as const)(
  'deploy/redis for the %s says what the catalogue says (vitest -u writes %s anew)',
  async (server, file) => {
    await expect(usersFile(server)).toMatchFileSnapshot(join(repositoryRoot, 'deploy/redis', file));
  },
);

test('passwords stand in it as hashes, and only where they are given', () => {
  const passwords = Object.fromEntries(redisUsers.map((user) => [user, `of-${user}`])) as RedisPasswords;
  const text = usersFile('queue', passwords);
  for (const user of redisUsers) {
    expect(text).toMatch(new RegExp(`^user ${user} on sanitize-payload #[0-9a-f]{64} `, 'm'));
    expect(text).not.toContain(`of-${user}`);
  }
  expect(usersFile('queue')).not.toContain('#');
});

test('every script of the catalogue is some service’s', () => {
  const theirs = new Set(queueRoles.flatMap((role) => scriptsOf(role)));
  expect(scriptNames.filter((script) => !theirs.has(script))).toEqual([]);
});
