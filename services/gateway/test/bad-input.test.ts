import { problem } from '@vortex/contracts';
import { elementOf } from '@vortex/queue';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';

const json = { 'Content-Type': 'application/json' };

interface Case {
  name: string;
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
  status: number;
  code: string;
  pointers?: string[];
}

const cases: Case[] = [
  { name: 'text that is not JSON', body: '{"query":', status: 400, code: 'invalid_json' },
  { name: 'a stray comma', body: '{"query":"a",}', status: 400, code: 'invalid_json' },
  { name: 'no body', body: '', status: 400, code: 'invalid_json' },
  {
    name: 'invalid UTF-8',
    body: new Uint8Array([0x7b, 0x22, 0x71, 0xff, 0xfe, 0x22, 0x7d]),
    status: 400,
    code: 'invalid_json',
  },
  { name: 'a list', body: '[]', status: 422, code: 'validation', pointers: [''] },
  { name: 'null', body: 'null', status: 422, code: 'validation', pointers: [''] },
  { name: 'no query', body: '{}', status: 422, code: 'validation', pointers: ['/query'] },
  { name: 'an empty query', body: '{"query":""}', status: 422, code: 'validation', pointers: ['/query'] },
  { name: 'a blank query', body: '{"query":" \\n "}', status: 422, code: 'validation', pointers: ['/query'] },
  {
    name: 'a query of 100 kB',
    body: JSON.stringify({ query: 'a'.repeat(100_000) }),
    status: 422,
    code: 'validation',
    pointers: ['/query'],
  },
  {
    name: 'wrong types, all named at once',
    body: '{"query":["a"],"top_k":"3","stream":1,"deadline_ms":1.5}',
    status: 422,
    code: 'validation',
    pointers: ['/query', '/top_k', '/stream', '/deadline_ms'],
  },
  {
    name: 'values out of range',
    body: '{"query":"a","top_k":51,"deadline_ms":300001}',
    status: 422,
    code: 'validation',
    pointers: ['/top_k', '/deadline_ms'],
  },
  {
    name: 'an unknown field',
    body: '{"query":"a","temprature~/":1}',
    status: 422,
    code: 'validation',
    pointers: ['/temprature~0~1'],
  },
  {
    name: '__proto__',
    body: '{"query":"a","__proto__":{}}',
    status: 422,
    code: 'validation',
    pointers: ['/__proto__'],
  },
  {
    name: 'a collection name that cannot be one',
    body: '{"query":"a","collection":"../etc"}',
    status: 422,
    code: 'validation',
    pointers: ['/collection'],
  },
  {
    name: 'stream and async together',
    body: '{"query":"a","stream":true,"async":true}',
    status: 422,
    code: 'validation',
    pointers: ['/async'],
  },
  {
    name: 'an unknown collection',
    body: '{"query":"a","collection":"nope"}',
    status: 404,
    code: 'collection_not_found',
  },
  {
    name: 'a form',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'query=a',
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    name: 'no content type',
    headers: {},
    body: '{"query":"a"}',
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    name: 'another charset',
    headers: { 'Content-Type': 'application/json; charset=utf-16' },
    body: '{"query":"a"}',
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    name: 'a compressed body',
    headers: { ...json, 'Content-Encoding': 'gzip' },
    body: '{"query":"a"}',
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    name: 'a body over the limit',
    body: JSON.stringify({ query: 'a'.repeat(1024 * 1024) }),
    status: 413,
    code: 'body_too_large',
  },
  {
    name: 'a declared length over the limit',
    headers: { ...json, 'Content-Length': '99999999999' },
    body: '{"query":"a"}',
    status: 413,
    code: 'body_too_large',
  },
  { name: 'a nesting bomb', body: '['.repeat(1_000_000), status: 400, code: 'invalid_json' },
  { name: 'a small nesting bomb', body: '['.repeat(100_000), status: 400, code: 'invalid_json' },
  {
    name: 'a bomb of empty objects',
    path: '/ingest',
    body: `[${'{},'.repeat(1_000_000)}{}]`,
    status: 400,
    code: 'invalid_json',
  },
  {
    name: 'a document without a word',
    path: '/ingest',
    body: '{"user_id":"u","document_id":"d","content":" \\n\\ufeff "}',
    status: 422,
    code: 'validation',
    pointers: ['/content'],
  },
  { name: 'an unknown route', path: '/nope', body: '{}', status: 404, code: 'not_found' },
  { name: 'another method', method: 'GET', status: 405, code: 'method_not_allowed' },
  { name: 'DELETE', method: 'DELETE', status: 405, code: 'method_not_allowed' },
  { name: 'POST to a GET route', path: '/healthz', body: '{}', status: 405, code: 'method_not_allowed' },
  {
    name: 'an ingest without content',
    path: '/ingest',
    body: '{"user_id":"u","document_id":"d"}',
    status: 422,
    code: 'validation',
    pointers: ['/content'],
  },
  {
    name: 'an ingest with a number as content',
    path: '/ingest',
    body: '{"user_id":"u","document_id":"d","content":7}',
    status: 422,
    code: 'validation',
    pointers: ['/content'],
  },
  {
    name: 'a search with stream',
    path: '/search',
    body: '{"query":"a","stream":true}',
    status: 422,
    code: 'validation',
    pointers: ['/stream'],
  },
];

describe('bad input', () => {
  it.each(cases)('$name is answered with a problem and reaches no queue', async (one) => {
    const { app, queue } = await gatewayUnderTest();
    const path = one.path ?? '/query';
    const response = await app.request(path, {
      method: one.method ?? 'POST',
      headers: one.headers ?? json,
      ...(one.body !== undefined && { body: one.body }),
    });
    expect(response.status).toBe(one.status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const body = problem.parse(await response.json());
    expect(body).toMatchObject({ code: one.code, status: one.status, instance: path });
    expect(body.type).toBe(`/problems/${one.code.replaceAll('_', '-')}`);
    if (one.pointers) expect(body.errors?.map(({ pointer }) => pointer)).toEqual(one.pointers);
    expect(queue.submitted).toEqual([]);
  });

  it('says which methods a route takes', async () => {
    const { app } = await gatewayUnderTest();
    const wrong = await app.request('/api/documents/doc_1/text', { method: 'PUT' });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    const asked = await app.request('/query', { method: 'OPTIONS' });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('allow')).toBe('POST, OPTIONS');
    const literal = await app.request('/api/documents/upload', { method: 'OPTIONS' });
    expect(literal.headers.get('allow')).toBe('POST, OPTIONS');
    expect((await app.request('/nope', { method: 'OPTIONS' })).status).toBe(404);
  });

  it.each([
    ['{"query":', 'The body ends before its JSON does.'],
    ['{"query":"a', 'The body ends before its JSON does.'],
    ['{"query" 1}', 'The JSON is broken at character 9.'],
    ['query=a', 'The body is not JSON.'],
  ])('says where %s breaks', async (body, detail) => {
    const { post } = await gatewayUnderTest();
    expect(await (await post('/query', body)).json()).toMatchObject({ detail });
  });

  it('quotes neither the body nor a stack', async () => {
    const { post } = await gatewayUnderTest();
    const body = await (await post('/query', '{"query": secret-words')).text();
    expect(body).not.toContain('secret');
    expect(body).not.toContain('at ');
  });

  it('takes JSON with a charset, a suffix type and a large text of quotes', async () => {
    const { post, queue } = await gatewayUnderTest();
    expect(
      (await post('/query', { query: 'a' }, { 'Content-Type': 'application/json; charset=UTF-8' })).status,
    ).toBe(200);
    expect(
      (await post('/query', { query: 'a' }, { 'Content-Type': 'application/vnd.api+json' })).status,
    ).toBe(200);
    const content = '"[{\\'.repeat(100_000);
    const response = await post('/ingest', { user_id: 'u', document_id: 'd', content });
    expect(response.status).toBe(202);
    const job = queue.submitted.at(-1);
    expect(job && JSON.parse(elementOf(job, undefined).toString()).content).toBe(content);
  });
});
