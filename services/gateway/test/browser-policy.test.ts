import { problem } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { createBrowserPolicy } from '../src/transport/browser-policy.ts';
import { gatewayUnderTest } from './gateway-under-test.ts';

type Gateway = Awaited<ReturnType<typeof gatewayUnderTest>>;
const change = (gateway: Gateway, headers: Record<string, string>) =>
  gateway.app.request('/api/collections', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Host: 'localhost:8000', ...headers },
    body: '{"name":"handbook"}',
  });

describe('pages of other origins', () => {
  it('read nothing and are not told that they might', async () => {
    const { app } = await gatewayUnderTest();
    const headers = { Origin: 'https://evil.example' };
    const read = await app.request('/api/collections', { headers });
    const asked = await app.request('/query', {
      method: 'OPTIONS',
      headers: { ...headers, 'Access-Control-Request-Method': 'POST' },
    });
    for (const answer of [read, asked]) {
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  it.each(['https://evil.example', 'null', 'http://localhost.evil.example:8000'])(
    'change nothing: %s',
    async (origin) => {
      const gateway = await gatewayUnderTest();
      const answer = await change(gateway, { Origin: origin });
      expect(answer.status).toBe(403);
      expect(problem.parse(await answer.json())).toMatchObject({ code: 'origin_refused' });
      expect(await gateway.registry.listCollections('default')).toEqual([]);
    },
  );

  it('send no form either: an upload needs no preflight', async () => {
    const { app, queue } = await gatewayUnderTest();
    const form = new FormData();
    form.set('file', new File(['planted'], 'a.txt'));
    const headers = { Origin: 'https://evil.example', Host: '127.0.0.1' };
    const answer = await app.request('/api/documents/upload', { method: 'POST', headers, body: form });
    expect(answer.status).toBe(403);
    expect(queue.submitted).toEqual([]);
  });

  it('may both when they are listed', async () => {
    const origin = 'https://app.example.com';
    const gateway = await gatewayUnderTest({ cors_origins: [origin] });
    const asked = await gateway.app.request('/query', {
      method: 'OPTIONS',
      headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(origin);
    expect(asked.headers.get('access-control-allow-methods')).toContain('POST');
    expect(asked.headers.get('access-control-allow-headers')).toContain('Authorization');
    expect(asked.headers.get('vary')).toBe('Origin');
    const made = await change(gateway, { Origin: origin });
    expect([made.status, made.headers.get('access-control-allow-origin')]).toEqual([201, origin]);
    expect(made.headers.get('access-control-allow-credentials')).toBeNull();
    expect((await change(gateway, { Origin: `${origin}.evil.example` })).status).toBe(403);
  });
});

describe('our own page', () => {
  it.each([
    { Origin: 'http://localhost:8000' },
    { Origin: 'https://docs.example', 'X-Forwarded-Host': 'docs.example' },
    {},
  ])('may change things: %j', async (headers) => {
    expect((await change(await gatewayUnderTest(), headers)).status).toBe(201);
  });
});

describe('a gateway on loopback', () => {
  const ask = async (host: string, path = '/api/collections') => {
    const { app } = await gatewayUnderTest({ hosts: ['vortex.internal'] });
    return app.request(path, { headers: { Host: host } });
  };

  it.each([
    'localhost',
    'localhost:8000',
    'me.localhost',
    'gateway:8000',
    '127.0.0.1:8000',
    '[::1]:8000',
    'Vortex.Internal',
    'vortex.internal.:8000',
    '10.0.0.7',
  ])('answers to %s', async (host) => {
    expect((await ask(host)).status).toBe(200);
  });

  it.each([
    'evil.example:8000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'vortex.internal.evil.example',
  ])('is not %s, whatever that name leads to', async (host) => {
    const answer = await ask(host);
    expect(answer.status).toBe(421);
    expect(problem.parse(await answer.json())).toMatchObject({ code: 'host_refused' });
  });

  it('tells probes under any name that it lives', async () => {
    expect((await ask('evil.example', '/healthz')).status).toBe(200);
  });
});

describe('what a browser is told of encryption', () => {
  const headersOf = (hstsMaxAgeS: number | null) =>
    createBrowserPolicy({ corsOrigins: [], hosts: [], isLoopback: false, hstsMaxAgeS }).headersFor({
      req: { header: () => undefined },
    } as never);

  it('is nothing without, and to come by HTTPS with', () => {
    expect(headersOf(null)).toBeNull();
    expect(headersOf(60)).toEqual({ 'Strict-Transport-Security': 'max-age=60' });
  });
});
