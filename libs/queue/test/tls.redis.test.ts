import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '@vortex/observability';
import { freePort } from '@vortex/testkit';
import { type PrivateRedis, startPrivateRedis } from '@vortex/testkit/private-redis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createRedisCache } from '../../cache/src/redis-cache.ts';
import { type RedisSection, withTls } from '../../config/src/with-tls.ts';
import { startBeat } from '../src/beat.ts';
import { connect, type RedisOptions } from '../src/connect.ts';

/** What is missing for this test; null: nothing. */
function missing(): string | null {
  if (spawnSync('openssl', ['version']).status !== 0) return 'openssl is not installed';
  const server = process.env.VORTEX_TEST_REDIS_SERVER ?? 'redis-server';
  // It listens nowhere, says so, and ends; one built without TLS does not know the setting.
  const said = spawnSync(server, ['--port', '0', '--tls-port', '0', '--tls-auth-clients', 'no'], {
    encoding: 'utf8',
    timeout: 5000,
  });
  return /Bad directive|Error/i.test(`${said.stdout}${said.stderr}`)
    ? `${server} is built without TLS`
    : null;
}

const lacking = missing();
const folder = mkdtempSync(join(tmpdir(), 'vortex-tls-'));
const file = (name: string) => join(folder, name);
let redis: PrivateRedis;
let port: number;
let section: RedisSection & { url: string };
let options: RedisOptions;

const openssl = (...words: string[]) =>
  execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });

function makeAuthority(ca: string): void {
  openssl(
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-keyout', file(`${ca}.key`), '-out', file(`${ca}.crt`), '-subj', `/CN=${ca}`],
  );
}

function sign(ca: string, subject: string): void {
  writeFileSync(file('san'), `subjectAltName=DNS:${subject}`);
  openssl(
    ...[
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      `/CN=${subject}`,
    ],
    ...['-keyout', file(`${subject}.key`), '-out', file(`${subject}.csr`)],
  );
  openssl(
    ...[
      'x509',
      '-req',
      '-in',
      file(`${subject}.csr`),
      '-days',
      '2',
      '-CAcreateserial',
      '-extfile',
      file('san'),
    ],
    ...['-CA', file(`${ca}.crt`), '-CAkey', file(`${ca}.key`), '-out', file(`${subject}.crt`)],
  );
}

describe.skipIf(lacking !== null)(`rediss://${lacking === null ? '' : ` (skipped: ${lacking})`}`, () => {
  beforeAll(async () => {
    makeAuthority('authority');
    makeAuthority('stranger');
    sign('authority', 'redis.test');
    sign('authority', 'service');
    port = await freePort();
    redis = await startPrivateRedis({
      args: [
        ...['--tls-port', String(port), '--tls-ca-cert-file', file('authority.crt')],
        ...['--tls-cert-file', file('redis.test.crt'), '--tls-key-file', file('redis.test.key')],
        ...['--tls-auth-clients', 'yes'],
      ],
    });
    section = {
      url: `rediss://127.0.0.1:${port}`,
      tls_ca_file: file('authority.crt'),
      tls_cert_file: file('service.crt'),
      tls_key_file: file('service.key'),
      tls_servername: 'redis.test',
    };
    options = withTls(section);
  });
  afterAll(async () => {
    await redis?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What a fresh connection says to a PING: PONG, or why there is none. */
  async function ping(change: Partial<RedisSection> = {}): Promise<string> {
    const client = connect(withTls({ ...section, ...change, url: section.url }), 'blocking');
    const failed = new Promise<string>((resolve) => client.once('error', (error) => resolve(error.message)));
    onTestFinished(() => client.disconnect());
    const answered = client.connect().then(() => client.ping());
    return Promise.race([answered.catch(() => failed), failed]);
  }

  test('is spoken with the authority, certificate and name of the configuration', async () => {
    expect(await ping()).toBe('PONG');
  });

  test('a server that another authority signed, or whose name is another, is not spoken to', async () => {
    expect(await ping({ tls_ca_file: file('stranger.crt') })).toMatch(/certificate/);
    expect(await ping({ tls_ca_file: null })).toMatch(/certificate/);
    expect(await ping({ tls_servername: 'other.test' })).toMatch(/redis\.test|altnames/);
  });

  test('a server that asks for a certificate refuses who has none', async () => {
    expect(await ping({ tls_cert_file: null, tls_key_file: null })).not.toBe('PONG');
  });

  test('commands of one turn still leave as one text, and the heartbeat has TLS in its thread', async () => {
    const commands = connect(options, 'worker');
    onTestFinished(() => commands.disconnect());
    const texts = Array.from({ length: 200 }, (_, number) => `${number}`.repeat(500));
    await Promise.all(texts.map((text, number) => commands.set(`text:${number}`, text)));
    expect(await commands.mget(texts.map((_, number) => `text:${number}`))).toEqual(texts);
    const accepted = new Promise<void>((resolve) => {
      const beat = startBeat({ redis: options, members: ['job:encoder_in|w'], onAccepted: resolve });
      onTestFinished(() => beat.stop());
    });
    await accepted;
    expect(await commands.zscore('job:workers', 'job:encoder_in|w')).not.toBeNull();
  });

  test('the cache has it as well', async () => {
    const metrics = createMetrics('gateway');
    const log = { info: () => undefined, warn: () => undefined };
    const cache = createRedisCache({
      ...{ url: options.url, tls: options.tls, timeoutMs: 10_000, maxEntryBytes: 100, metrics, log },
    });
    onTestFinished(() => cache.close());
    await new Promise<void>((resolve) => cache.onAvailable(resolve));
    cache.put('vortex:1:answer:x', 'kept', 60_000);
    expect((await cache.get(['vortex:1:answer:x']))?.map(String)).toEqual(['kept']);
  });
});
