import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheAccess } from '@vortex/cache/access';
import { connect, runScript, scriptText } from '@vortex/queue';
import { queueAccess, queueRoles, sampleKeys, scriptsOf } from '@vortex/queue/access';
import { type PrivateRedis, startPrivateRedis } from '@vortex/testkit/private-redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { makePasswords, withLogin } from './passwords.ts';
import { healthUser, type RedisUser, usersFile } from './users-file.ts';

const passwords = makePasswords();
let queue: PrivateRedis;
let cache: PrivateRedis;

async function startWithUsers(server: 'queue' | 'cache', more: string[] = []): Promise<PrivateRedis> {
  const file = join(tmpdir(), `vortex-users-${process.pid}-${server}.acl`);
  writeFileSync(file, usersFile(server, passwords), { mode: 0o600 });
  const login = { user: healthUser.name, password: healthUser.password };
  return startPrivateRedis({ args: ['--aclfile', file, '--enable-debug-command', 'local', ...more], login });
}

beforeAll(async () => {
  [queue, cache] = await Promise.all([startWithUsers('queue'), startWithUsers('cache')]);
});
afterAll(() => Promise.all([queue?.stop(), cache?.stop()]));

function as(user: RedisUser, server: PrivateRedis = queue): Redis {
  const client = new Redis(withLogin(server.url, user, passwords[user]), { maxRetriesPerRequest: 1 });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

const services = [...queueRoles, 'vortex'] as const;
const denied = [
  ['FLUSHALL'],
  ['FLUSHDB'],
  ['KEYS', '*'],
  ['CONFIG', 'GET', '*'],
  ['CONFIG', 'SET', 'maxmemory', '1'],
  ['DEBUG', 'SLEEP', '0'],
  ['SCRIPT', 'FLUSH'],
  ['SHUTDOWN', 'NOSAVE'],
  ['REPLICAOF', 'NO', 'ONE'],
  ['ACL', 'WHOAMI'],
  ['ACL', 'SETUSER', 'default', 'on'],
  ['CLIENT', 'LIST'],
  ['CLIENT', 'KILL', 'TYPE', 'normal'],
  ['MONITOR'],
  ['SAVE'],
  ['SWAPDB', '0', '1'],
  ['MODULE', 'LIST'],
  ['FUNCTION', 'LIST'],
  ['DUMP', 'job:live'],
  ['MIGRATE', '127.0.0.1', '1', 'job:live', '0', '10'],
  ['RENAME', 'job:live', 'job:other'],
];

async function isDenied(client: Redis, commands: readonly string[][]): Promise<void> {
  for (const [command = '', ...args] of commands) {
    const answer = await client.call(command, ...args).catch((error: Error) => error.message);
    expect(String(answer), `${command} ${args.join(' ')}`).toMatch(/^NOPERM/);
  }
}

test.each([...services, 'exporter'] as const)(
  '%s is denied FLUSHALL, KEYS, CONFIG and all that rules a server',
  (user) => isDenied(as(user), denied),
);

test.each(['gateway', 'encoder', 'retriever', 'generator', 'vortex', 'exporter'] as const)(
  '%s is denied them in the cache, too',
  (user) => isDenied(as(user, cache), [...denied, ['GET', 'elsewhere']]),
);

test.each(services)(
  '%s has no key and no channel that is not of the queue, in a script of its own either',
  async (user) => {
    const client = as(user);
    await expect(client.call('LRANGE', 'elsewhere', '0', '-1')).rejects.toThrow(/^NOPERM/);
    await expect(client.call('EVAL', 'return 1', '1', 'elsewhere')).rejects.toThrow(/^NOPERM/);
    await expect(client.call('EVAL', "return redis.call('DEL', 'elsewhere')", '0')).rejects.toThrow(
      /can't access|ACL failure/,
    );
    await expect(client.call('EVAL', "return redis.call('FLUSHALL')", '0')).rejects.toThrow(
      /can't run this command|ACL failure/,
    );
    await expect(client.call('PUBLISH', 'elsewhere', 'x')).rejects.toThrow(/^NOPERM/);
    await expect(client.call('SUBSCRIBE', 'elsewhere')).rejects.toThrow(/^NOPERM/);
  },
);

test.each(queueRoles)('%s may send every command of its own, and run every script', async (role) => {
  const client = as(role);
  await client.ping();
  for (const script of scriptsOf(role)) {
    const keys = sampleKeys(script);
    // What it says to no arguments is not asked here, only that its user may run it on these keys.
    const answer = await client
      .call('EVAL', scriptText(script), keys.length, ...keys)
      .catch((error: Error) => error.message);
    expect(String(answer), script).not.toMatch(/NOPERM|can't (run|access)|ACL failure/);
  }
  const operator = as('operator');
  const access = queueAccess()[role];
  expect(scriptsOf(role).length).toBeGreaterThan(10);
  for (const command of access.commands) {
    const answer = await operator.call('ACL', 'DRYRUN', role, ...sampleOf(command));
    expect([command, answer]).toEqual([command, 'OK']);
  }
});

test('a job goes through Redis with each service as its own user', async () => {
  const gateway = connect({ url: withLogin(queue.url, 'gateway', passwords.gateway) }, 'worker');
  onTestFinished(() => gateway.disconnect());
  expect(await gateway.get('job:completion:none')).toBeNull();
  await runScript(gateway, 'cancel', ['job:cancelled', 'job:cancel'], ['one', 1000]);
  const encoder = as('encoder');
  await expect(encoder.call('BLMPOP', '0.01', '1', 'job:done:gateway_1', 'LEFT')).rejects.toThrow(/^NOPERM/);
  await expect(
    gateway.call('BLMOVE', 'job:llm_in', 'job:llm_in:proc:x', 'LEFT', 'RIGHT', '0.01'),
  ).rejects.toThrow(/^NOPERM/);
});

test('who gives no name is nobody, and the health check may ask whether the server lives', async () => {
  const nobody = new Redis(queue.url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
  nobody.on('error', () => undefined);
  onTestFinished(() => nobody.disconnect());
  await expect(nobody.call('GET', 'job:live')).rejects.toThrow(/NOAUTH/);
  const health = new Redis(withLogin(queue.url, healthUser.name, healthUser.password), {
    enableReadyCheck: false,
  });
  onTestFinished(() => health.disconnect());
  expect(await health.ping()).toBe('PONG');
  await expect(health.call('INFO')).rejects.toThrow(/^NOPERM/);
});

test('a Redis that comes back has what scripts had written: it replays them as the user that is off', async () => {
  const server = await startWithUsers('queue', ['--appendonly', 'yes', '--appendfsync', 'always']);
  onTestFinished(() => server.stop());
  const gateway = as('gateway', server);
  await runScript(gateway, 'cancel', ['job:cancelled', 'job:cancel'], ['one', 600_000]);
  await gateway.rpush('job:encoder_in', 'an element');
  await server.kill();
  await server.start();
  const operator = as('operator', server);
  expect(await operator.zrange('job:cancelled', '0', '-1')).toEqual(['one']);
  expect(await operator.lrange('job:encoder_in', '0', '-1')).toEqual(['an element']);
  expect(JSON.stringify(await operator.call('ACL', 'LOG'))).not.toContain('"default"');
});

test('the operator may do what has to be done by hand', async () => {
  const operator = as('operator');
  expect(await operator.call('CONFIG', 'GET', 'maxmemory-policy')).toEqual([
    'maxmemory-policy',
    'noeviction',
  ]);
  expect(await operator.keys('*')).toBeDefined();
  expect(await operator.flushall()).toBe('OK');
});

test('the cache: a worker says by which settings it works, and the gateway only reads it', async () => {
  expect(Object.keys(cacheAccess()).sort()).toEqual([
    'encoder',
    'gateway',
    'generator',
    'retriever',
    'vortex',
  ]);
  const generator = as('generator', cache);
  expect(await generator.set('vortex:1:settings:generate', 'x', 'PX', 1000)).toBe('OK');
  await expect(generator.set('vortex:1:settings:retrieve', 'x')).rejects.toThrow(/^NOPERM/);
  await expect(generator.mget('vortex:1:answer:1')).rejects.toThrow(/^NOPERM/);
  const gateway = as('gateway', cache);
  expect(await gateway.mget('vortex:1:answer:1', 'vortex:1:settings:generate')).toEqual([null, 'x']);
  await expect(gateway.set('vortex:1:settings:generate', 'y')).rejects.toThrow(/^NOPERM/);
});

/** A call of the command as the queue makes it. */
function sampleOf(command: string): string[] {
  const [name = '', sub] = command.toUpperCase().split('|');
  const samples: Record<string, string[]> = {
    PING: [],
    INFO: [],
    TIME: [],
    SELECT: ['0'],
    'CLIENT|ID': [],
    'CLIENT|SETNAME': ['x'],
    'CLIENT|UNBLOCK': ['1'],
    SCAN: ['0'],
    SUBSCRIBE: ['job:cancel'],
    UNSUBSCRIBE: ['job:cancel'],
    PUBLISH: ['job:cancel', 'x'],
    EVAL: ['return 1', '2', 'job:live', ''],
    EVALSHA: ['0'.repeat(40), '2', 'llm:replica:http://h:1', ''],
    BLMOVE: ['job:encoder_in', 'job:encoder_in:proc:w', 'LEFT', 'RIGHT', '1'],
    LMOVE: ['job:encoder_in', 'ingestion_queue:proc:w', 'LEFT', 'RIGHT'],
    BLMPOP: ['1', '1', 'job:done:gateway_1', 'LEFT'],
  };
  const args = samples[sub === undefined ? name : `${name}|${sub}`];
  if (args !== undefined) return sub === undefined ? [name, ...args] : [name, sub, ...args];
  return [name, 'job:live', ...(more[name.toLowerCase()] ?? [])];
}

const more: Record<string, string[]> = {
  expire: ['1'],
  pexpire: ['1'],
  hdel: ['f'],
  hget: ['f'],
  hmget: ['f'],
  hincrby: ['f', '1'],
  hset: ['f', 'v'],
  hsetnx: ['f', 'v'],
  lindex: ['0'],
  lpos: ['e'],
  lpush: ['e'],
  rpush: ['e'],
  lrange: ['0', '1'],
  lrem: ['1', 'e'],
  ltrim: ['0', '1'],
  sadd: ['m'],
  srem: ['m'],
  sscan: ['0'],
  set: ['v'],
  zadd: ['1', 'm'],
  zcount: ['0', '1'],
  zmscore: ['m'],
  zrange: ['0', '1'],
  zrem: ['m'],
  zremrangebyscore: ['0', '1'],
  zscore: ['m'],
};
