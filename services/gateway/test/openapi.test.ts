import { readFile } from 'node:fs/promises';
import SwaggerParser from '@apidevtools/swagger-parser';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';

interface Operation {
  operationId: string;
  summary: string;
  requestBody?: { content: Record<string, { example?: unknown }> };
  responses: Record<string, { content?: Record<string, unknown> }>;
  security?: Record<string, string[]>[];
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

const read = async () => {
  // Open, or the example that makes a key would be the last that is let in.
  const gateway = await gatewayUnderTest({}, undefined, undefined, 'open');
  const response = await gateway.app.request('/openapi.json');
  return { ...gateway, document: (await response.json()) as Document };
};

describe('openapi.json', () => {
  it('is valid OpenAPI 3.1', async () => {
    const { document } = await read();
    expect(document.openapi).toBe('3.1.0');
    await expect(SwaggerParser.validate(structuredClone(document) as never)).resolves.toBeDefined();
  });

  it('says a span is two integers, in words that readers of 3.0 know as well', async () => {
    const text = JSON.stringify((await read()).document);
    const spans = [...text.matchAll(/"(?:answer|source)_span":(\{[^{}]*\{[^{}]*\}[^{}]*\})/g)].map(
      ([, span = '']) => span,
    );
    expect(spans.length).toBeGreaterThan(5);
    for (const span of spans) {
      expect(JSON.parse(span)).toEqual({
        type: 'array',
        items: { type: 'integer', minimum: 0 },
        ...{ minItems: 2, maxItems: 2 },
      });
    }
  });

  it('describes exactly the routes that are served', async () => {
    const { app, document } = await read();
    const served = app.routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual([...new Set(served)].sort());
    expect(described.length).toBeGreaterThan(15);
  });

  it('has every route in the table of the README', async () => {
    const { document } = await read();
    const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
    const missing = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations)
        .map((method) => `\`${method.toUpperCase()} ${path}\``)
        .filter((route) => !readme.includes(route)),
    );
    expect(missing).toEqual([]);
  });

  it('has an example for every JSON body, and the route takes it', async () => {
    const { document, app, registry } = await read();
    await registry.ensureCollection({ tenant: 'default', name: 'handbook' });
    await registry.createKey({
      ...{ id: 'k1', tenant: 'default', name: null, scopes: ['query'], secretHash: '00' },
      ...{ collections: null, limits: null, expiresAt: null },
    });
    const examples = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { requestBody }]) => {
        const json = requestBody?.content['application/json'];
        return json === undefined ? [] : [{ method: method.toUpperCase(), path, example: json.example }];
      }),
    );
    // The collection to be made must not be the one that the other examples name.
    const order = (path: string) => (path === '/api/collections' ? 0 : 1);
    const tried = [];
    for (const { method, path, example } of examples.sort(
      (one, other) => order(one.path) - order(other.path),
    )) {
      const made = path === '/api/collections' ? { ...(example as object), name: 'made' } : example;
      const response = await app.request(path.replace('{name}', 'handbook').replace('{id}', 'k1'), {
        method,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(made),
      });
      tried.push({ path, ok: response.ok, status: response.status });
    }
    expect(tried.filter(({ ok }) => !ok)).toEqual([]);
    expect(tried.length).toBeGreaterThan(8);
  });

  it('says of every route what key it asks for', async () => {
    const { document } = await read();
    const open: string[] = [];
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { security, responses }] of Object.entries(operations)) {
        const route = `${method} ${path}`;
        expect(security, route).toBeInstanceOf(Array);
        const asked = (security ?? []).flatMap((one) => Object.values(one).flat());
        if (asked.length === 0) open.push(route);
        expect(
          ['401', '403'].filter((status) => status in responses),
          route,
        ).toEqual(asked.length === 0 ? [] : ['401', '403']);
        for (const scope of asked) expect(['query', 'ingest', 'admin'], route).toContain(scope);
      }
    }
    // Whoever adds to this list lets everybody in.
    expect(open.sort()).toEqual(
      ['/', '/docs', '/docs/{file}', '/health', '/healthz', '/openapi.json', '/readyz'].map(
        (path) => `get ${path}`,
      ),
    );
  });

  it('names each operation once and says how it fails', async () => {
    const { document } = await read();
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    const names = operations.map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const operation of operations)
      expect(operation.responses, operation.operationId).toHaveProperty('500');
    const query = document.paths['/query']?.post?.responses;
    expect(Object.keys(query ?? {})).toEqual(
      '200 202 400 401 403 404 409 413 415 422 429 500 502 503 504'.split(' '),
    );
    expect(Object.keys(query?.['422']?.content ?? {})).toEqual(['application/problem+json']);
  });

  it('says of every route that asks the registry that it may be away', async () => {
    const { document } = await read();
    const silent = Object.entries(document.paths)
      .filter(([path]) => path.startsWith('/api/'))
      .flatMap(([path, operations]) => Object.entries(operations).map((each) => [path, ...each] as const))
      .filter(([, , { responses }]) => responses['503'] === undefined)
      .map(([path, method]) => `${method} ${path}`);
    expect(silent).toEqual([]);
  });
});

describe('every answer', () => {
  it('carries the basic security headers and a request id', async () => {
    const { app, document } = await read();
    for (const path of Object.keys(document.paths)) {
      const response = await app.request(path.replaceAll(/\{.+?\}/g, 'x'));
      expect(response.headers.get('x-content-type-options'), path).toBe('nosniff');
      expect(response.headers.get('referrer-policy'), path).toBe('no-referrer');
      expect(response.headers.get('x-request-id'), path).toMatch(/^req_/);
      expect(response.headers.get('server'), path).toBeNull();
      expect(response.headers.get('x-powered-by'), path).toBeNull();
    }
  });

  it('answers HEAD like GET, without a body', async () => {
    const { app } = await read();
    const response = await app.request('/openapi.json', { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
    expect(response.headers.get('content-type')).toBe('application/json');
  });
});

describe('pages', () => {
  it('shows a command with the address it was asked under', async () => {
    const { app } = await read();
    const page = await (await app.request('http://vortex.example:81/')).text();
    expect(page).toContain('http://vortex.example:81/query');
  });

  it.each(['/', '/docs'])('%s has no inline script and a policy against one', async (path) => {
    const { app } = await read();
    const response = await app.request(path);
    const page = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(response.headers.get('content-security-policy')).not.toMatch(/script-src[^;]*unsafe/);
    expect(page).not.toMatch(/<script>|\son\w+=|javascript:/);
  });

  it('serves everything that the pages refer to', async () => {
    const { app } = await read();
    for (const path of ['/', '/docs']) {
      const page = await (await app.request(path)).text();
      const targets = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1] ?? '');
      expect(targets.length).toBeGreaterThan(3);
      for (const target of targets) {
        expect(target, 'everything is local').toMatch(/^\//);
        expect((await app.request(target)).status, target).toBe(200);
      }
    }
    expect((await app.request('/docs/package.json')).status).toBe(404);
    expect((await app.request('/docs/..%2fpackage.json')).status).toBe(404);
  });
});
