import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { get as getPlain } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { silentLogger } from '@vortex/observability';
import { freePort } from '@vortex/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { followTls, readTls, tlsFilesOf } from '../src/transport/tls.ts';
import { completed, gatewayUnderTest } from './gateway-under-test.ts';

let folder = '';
const files = (name: string) => ({
  certFile: join(folder, `${name}.pem`),
  keyFile: join(folder, `${name}.key`),
});
let hasOpenssl = true;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-tls-'));
  try {
    for (const name of ['first', 'second']) {
      const { certFile, keyFile } = files(name);
      execFileSync(
        'openssl',
        [
          ...[
            'req',
            '-x509',
            '-newkey',
            'ec',
            '-pkeyopt',
            'ec_paramgen_curve:prime256v1',
            '-nodes',
            '-days',
            '2',
          ],
          ...[
            '-subj',
            `/CN=${name}`,
            '-addext',
            'subjectAltName=IP:127.0.0.1',
            '-keyout',
            keyFile,
            '-out',
            certFile,
          ],
        ],
        { stdio: 'ignore' },
      );
    }
  } catch {
    hasOpenssl = false;
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ask(
  url: string,
  options: RequestOptions,
  body?: string,
): Promise<{ status: number; headers: Record<string, unknown>; name: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, ...options }, (answer) => {
      const name = String((answer.socket as TLSSocket).getPeerCertificate().subject?.CN);
      answer
        .resume()
        .once('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, name }));
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

describe('TLS', () => {
  it('carries questions, and nothing that is not encrypted', async (test) => {
    if (!hasOpenssl) return test.skip('openssl is not installed');
    const { serve, queue } = await gatewayUnderTest();
    queue.script = async ({ id }) => completed(id);
    const { url, port } = await serve({ tls: files('first') });
    expect(url).toMatch(/^https:/);
    const ca = readFileSync(files('first').certFile);
    const post = { method: 'POST', ca, headers: { 'Content-Type': 'application/json' } };
    expect(await ask(`${url}/query`, post, '{"query":"a"}')).toMatchObject({ status: 200, name: 'first' });
    await expect(ask(`${url}/healthz`, { ca, maxVersion: 'TLSv1.1' })).rejects.toThrow();
    await expect(ask(`${url}/healthz`, {})).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    const plain = new Promise((resolve, reject) =>
      getPlain(`http://127.0.0.1:${port}/healthz`, resolve).once('error', reject),
    );
    await expect(plain).rejects.toThrow();
  });

  it('lets open requests finish when it stops', async (test) => {
    if (!hasOpenssl) return test.skip('openssl is not installed');
    const { serve, queue } = await gatewayUnderTest();
    let finish = () => {};
    queue.script = ({ id }) =>
      new Promise((resolve) => {
        finish = () => resolve(completed(id));
      });
    const server = await serve({ tls: files('first') });
    const ca = readFileSync(files('first').certFile);
    const asked = ask(
      `${server.url}/query`,
      { method: 'POST', ca, headers: { 'Content-Type': 'application/json' } },
      '{"query":"a"}',
    );
    await vi.waitFor(() => expect(queue.submitted).toHaveLength(1));
    const stopped = server.stop(30_000);
    await server.stopAccepting(0);
    finish();
    expect(await asked).toMatchObject({ status: 200, headers: { connection: 'close' } });
    await stopped;
  });

  it('takes a renewed certificate, once both files fit', async (test) => {
    if (!hasOpenssl) return test.skip('openssl is not installed');
    vi.useFakeTimers();
    const own = { certFile: join(folder, 'own.pem'), keyFile: join(folder, 'own.key') };
    const put = (name: string, what: 'certFile' | 'keyFile', at: number) => {
      copyFileSync(files(name)[what], own[what]);
      utimesSync(own[what], at, at);
    };
    put('first', 'certFile', 1);
    put('first', 'keyFile', 1);
    const taken: string[] = [];
    const warn = vi.fn();
    const stop = followTls(
      {
        setSecureContext(options) {
          if (String(options.key) !== readFileSync(files('second').keyFile, 'utf8'))
            throw new Error('do not fit');
          taken.push(String(options.cert));
        },
      },
      own,
      { ...silentLogger, warn, info: vi.fn() },
      10,
    );
    vi.advanceTimersByTime(20);
    expect(warn).not.toHaveBeenCalled();
    put('second', 'certFile', 2);
    vi.advanceTimersByTime(10);
    expect(warn).toHaveBeenCalledOnce();
    put('second', 'keyFile', 2);
    vi.advanceTimersByTime(50);
    expect(taken).toEqual([readFileSync(files('second').certFile, 'utf8')]);
    stop();
    vi.useRealTimers();
  });

  it('says which of its settings is missing or cannot be read', () => {
    expect(tlsFilesOf({ tls_cert_file: null, tls_key_file: null })).toBeNull();
    expect(() => tlsFilesOf({ tls_cert_file: 'a', tls_key_file: null })).toThrow(/tls_key_file/);
    expect(() => readTls({ certFile: '/nowhere.pem', keyFile: '/nowhere.key' })).toThrow(
      'gateway.tls_cert_file: /nowhere.pem cannot be read (ENOENT)',
    );
  });
});

describe('a port for administrators', () => {
  it('has what they need, and the other port knows nothing of it', async () => {
    // Which port it is, is known only once it listens; the app takes it from its settings when it is asked.
    const settings = { admin_port: 1 };
    const gateway = await gatewayUnderTest(settings);
    const everybody = await gateway.serve();
    const fetchFrom = async (port: number, path: string, method = 'GET') => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
      return { status: answer.status, body: (await answer.text()).replaceAll(/"request_id":"[^"]*"/g, '') };
    };
    for (const path of ['/metrics', '/api/dead-letters', '/api/keys', '/api/replicas/x/drain']) {
      for (const method of ['GET', 'POST', 'PUT', 'OPTIONS']) {
        const refused = await fetchFrom(everybody.port, path, method);
        const unknown = await fetchFrom(everybody.port, '/nowhere', method);
        expect(refused.status, `${method} ${path}`).toBe(404);
        expect(refused.body).toBe(unknown.body.replaceAll('/nowhere', path));
      }
    }
    expect((await fetchFrom(everybody.port, '/api/collections')).status).toBe(200);
    // The probes' port asks without a socket.
    expect((await gateway.app.request('/metrics')).status).toBe(200);
  });

  it('answers there', async () => {
    const port = await freePort();
    const gateway = await gatewayUnderTest({ admin_port: port });
    const admin = await gateway.serve({ port });
    expect((await fetch(`${admin.url}/metrics`)).status).toBe(200);
  });
});
