import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { withTls } from './with-tls.ts';

const none = { tls_ca_file: null, tls_cert_file: null, tls_key_file: null, tls_servername: null };

it('redis:// has none, whatever files are named, nor has a cache that is not configured', () => {
  const named = { ...none, tls_ca_file: '/nowhere.pem' };
  expect(withTls({ ...named, url: 'redis://host' })).not.toHaveProperty('tls');
  expect(withTls({ ...named, url: null })).not.toHaveProperty('tls');
});

it('rediss:// has what its files hold, and nothing of what is not named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vortex-pem-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ca.pem');
  writeFileSync(file, 'of the authority');
  const url = 'rediss://host';
  expect(withTls({ ...none, url }).tls).toEqual({});
  expect(withTls({ ...none, url, tls_ca_file: file, tls_servername: 'redis.test' }).tls).toEqual({
    ca: 'of the authority',
    servername: 'redis.test',
  });
});

it('names the setting whose file cannot be read', () => {
  expect(() => withTls({ ...none, url: 'rediss://host', tls_key_file: '/nowhere.key' })).toThrow(
    'tls_key_file: /nowhere.key cannot be read (ENOENT)',
  );
});
