import { keyScope, type KeyScope as Scope } from '@vortex/contracts';
import { issueKey, localKey, newKeySecret, type Registry, textOfKey } from '@vortex/registry';
import { beforeEach, describe, expect, it } from 'vitest';
import { createQuestionIds } from '../src/access/question-id.ts';
import { type GatewayUnderTest, gatewayUnderTest } from './gateway-under-test.ts';
import { acceptDocument } from './with-document.ts';

/**
 * Every route of openapi.json against every caller who should not get in. The routes come from the document and not
 * from a list here: a new route is tested by existing, and one that takes an id nobody has told this file about fails.
 * One piece: a row of the matrix is read beside what it stands on.
 */
interface Operation {
  security: Record<string, Scope[]>[];
  parameters?: { in: string; name: string }[];
  requestBody?: { content: Record<string, { example?: object; schema: { $ref?: string } }> };
}
interface Route {
  method: string;
  path: string;
  /** Any one of them; none: open. */
  scopes: Scope[];
  operation: Operation;
}

const theirs = { tenant: 'theirs', collection: 'their-papers' };
const mine = { tenant: 'mine', collection: 'notes' };

let gateway: GatewayUnderTest;
let routes: Route[];
let schemas: Record<string, { properties?: Record<string, unknown> }>;
/** By what they are for. */
const keys = new Map<string, string>();
/** Names of the registry's and the queue's methods as they are called. */
let calls: string[] = [];
/** What of the other tenant's a path's first word and parameter stand for, and what is nobody's. */
const ids: Record<string, { theirs: string; nobodys: string }> = {};

const key = (name: string) => keys.get(name) ?? '';

beforeEach(async () => {
  gateway = await gatewayUnderTest();
  const { registry, pepper } = gateway;
  const issue = async (name: string, request: Partial<Parameters<typeof issueKey>[2]>) => {
    const made = await issueKey(registry, pepper, {
      ...{ tenant: mine.tenant, name, scopes: keyScope.options, collections: null, expiresAt: null },
      ...request,
    });
    keys.set(name, made.key);
    if (made.tenant === mine.tenant) callers.add(made.id);
    return made;
  };
  await issue('all', {});
  for (const scope of keyScope.options) await issue(scope, { scopes: [scope] });
  await issue('notes only', { scopes: ['query', 'ingest'], collections: [mine.collection] });
  await issue('expired', { expiresAt: Date.now() - 1 });
  const revoked = await issue('revoked', {});
  await registry.revokeKey(mine.tenant, revoked.id);
  const their = await issue('theirs', { tenant: theirs.tenant });
  keys.set('wrong secret', textOfKey({ id: their.id, secret: newKeySecret() }));
  keys.set('unknown id', textOfKey({ id: '0123456789abcdef', secret: newKeySecret() }));
  keys.set('malformed', 'vx_0123456789abcdef_short');
  keys.set('somebody else’s', 'sk-proj-0123456789');
  keys.set('the machine’s, forged', textOfKey({ id: 'local', secret: newKeySecret() }));

  await gateway.keyring.refresh();

  // What there is of theirs, one of each kind that has an id.
  await registry.ensureCollection({ tenant: mine.tenant, name: mine.collection });
  const document = await acceptDocument(gateway, { change: theirs, jobId: 'job_theirs' });
  const webhook = await registry.createWebhook({
    ...{ tenant: theirs.tenant, url: 'https://theirs.example/', secret: 'whsec_x', description: null },
    events: ['document.ready'],
  });
  const { deliveryIds } = await registry.recordEvent({
    ...{ tenant: theirs.tenant, type: 'webhook.test', data: {}, webhookId: webhook.id },
  });
  const envelope = JSON.stringify({ id: 'qry_dead', tenant: theirs.tenant, query: 'secret?' });
  const letter = gateway.deadLetters.bury('encode', envelope, { tenant: theirs.tenant });
  gateway.explain.note({ id: 'qry_past', tenant: theirs.tenant }, 'gateway', () => ({ question: 'secret?' }));
  gateway.queue.jobs.set('qry_later', { id: 'qry_later', type: 'query', status: 'queued', tenant: 'theirs' });
  const waiting = createQuestionIds(pepper).make(theirs.tenant);
  gateway.queue.live.add(waiting);

  Object.assign(ids, {
    'documents/id': { theirs: document.documentId, nobodys: 'doc_nobodys' },
    'jobs/id': { theirs: 'job_theirs', nobodys: 'job_nobodys' },
    'jobs/id later': { theirs: 'qry_later', nobodys: 'qry_nobody' },
    'jobs/id waiting': { theirs: waiting, nobodys: 'qry_0000000000000000000000' },
    'webhooks/id': { theirs: webhook.id, nobodys: 'whk_nobodys' },
    'webhooks/delivery_id': { theirs: deliveryIds[0] ?? '', nobodys: 'dlv_nobodys' },
    'dead-letters/id': { theirs: letter, nobodys: `dlt_encode_${'0'.repeat(32)}` },
    'keys/id': { theirs: their.id, nobodys: '0123456789abcdef' },
    'queries/id': { theirs: 'qry_past', nobodys: 'qry_none' },
    'collections/name': { theirs: theirs.collection, nobodys: 'no-such-collection' },
    'models/id': { theirs: `rag:${theirs.collection}`, nobodys: 'rag:no-such-collection' },
  } satisfies typeof ids);

  const document_ = (await (await gateway.app.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: typeof schemas };
  };
  schemas = document_.components.schemas;
  routes = Object.entries(document_.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      ...{ method: method.toUpperCase(), path, operation },
      scopes: operation.security.flatMap((one) => Object.values(one).flat()),
    })),
  );
  spyOn(registry);
  spyOn(gateway.queue as object, ['jobOwner', 'jobStatus', 'areLive', 'cancel', 'enqueue']);
  spyOn(gateway.explain, ['read']);
});

/** Called now and then, whoever asks. */
const keyringsOwn = new Set(['changeCounter', 'hasKeys', 'noteKeysUsed']);
const callers = new Set<string>();

function spyOn(target: object, names = Object.keys(target)): void {
  const methods = target as Record<string, unknown>;
  for (const name of names) {
    const real = methods[name];
    if (typeof real !== 'function' || keyringsOwn.has(name)) continue;
    methods[name] = (...words: unknown[]) => {
      // Of who asks, which is looked up when something has changed.
      if (!(name === 'findKey' && callers.has(String(words[0])))) calls.push(name);
      return (real as (...words: unknown[]) => unknown).apply(target, words);
    };
  }
}

interface Answer {
  status: number;
  code: string | undefined;
  /** Without what is each request's own. */
  body: string;
  headers: [string, string][];
  calls: string[];
}

/** Sends the route's example, with these parameters in its path. */
async function send(
  { method, path, operation }: Route,
  bearer: string | null,
  more: { parameters?: Record<string, string>; body?: object; query?: string } = {},
): Promise<Answer> {
  const example = operation.requestBody?.content['application/json']?.example;
  const isForm = operation.requestBody?.content['multipart/form-data'] !== undefined;
  const filled = path.replaceAll(/\{(.+?)\}/g, (_, name: string) => {
    return encodeURIComponent(more.parameters?.[name] ?? 'none');
  });
  const form = new FormData();
  if (isForm) {
    form.set('file', new Blob(['A text.']), 'a.txt');
    for (const [name, value] of Object.entries(more.body ?? {})) form.set(name, String(value));
  }
  calls = [];
  const response = await gateway.app.request(`${filled}${more.query ?? ''}`, {
    method,
    headers: {
      ...(bearer !== null && { Authorization: `Bearer ${bearer}` }),
      ...(example !== undefined && { 'Content-Type': 'application/json' }),
    },
    ...(isForm && { body: form }),
    ...(example !== undefined && { body: JSON.stringify({ ...example, ...more.body }) }),
  });
  const text = await response.text();
  const made = calls;
  const own = [
    response.headers.get('x-request-id') ?? 'none',
    ...Object.values(more.parameters ?? {}),
    filled,
  ];
  const body = own.sort((a, b) => b.length - a.length).reduce((left, one) => left.replaceAll(one, '…'), text);
  const problem = jsonIn(text);
  return {
    status: response.status,
    code: problem?.error?.code ?? problem?.code,
    body,
    headers: [...response.headers].filter(([name]) => !['x-request-id', 'content-length'].includes(name)),
    calls: made,
  };
}

function jsonIn(text: string): { code?: string; error?: { code?: string } } | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const nameOf = ({ method, path }: Route) => `${method} ${path}`;
const isOpen = ({ scopes }: Route) => scopes.length === 0;
const problemsOf = async (ask: (route: Route) => Promise<unknown>, expected: unknown) => {
  const others: [string, unknown][] = [];
  for (const route of routes.filter((one) => !isOpen(one))) {
    const answer = await ask(route);
    try {
      expect(answer).toEqual(expected);
    } catch {
      others.push([nameOf(route), answer]);
    }
  }
  return others;
};

describe('every route', () => {
  it('is there, and most of them ask for a key', () => {
    expect(routes.length).toBeGreaterThan(45);
    expect(routes.filter(isOpen)).toHaveLength(7);
  });

  it('answers without a key 401 key_required, before anything is looked at', async () => {
    const ask = async (route: Route) => {
      const { status, code, calls: made } = await send(route, null);
      return { status, code, made };
    };
    expect(await problemsOf(ask, { status: 401, code: 'key_required', made: [] })).toEqual([]);
  });

  it.each([
    'wrong secret',
    'unknown id',
    'malformed',
    'expired',
    'revoked',
    'the machine’s, forged',
    'somebody else’s',
  ])('answers a key that is %s with one and the same 401', async (name) => {
    const seen = new Map<string, string[]>();
    const ask = async (route: Route) => {
      const { status, code, body, headers } = await send(route, key(name));
      const kind = route.path.startsWith('/v1/') ? 'openai' : 'problem';
      seen.set(kind, [...new Set([...(seen.get(kind) ?? []), JSON.stringify([body, headers])])]);
      return { status, code };
    };
    expect(await problemsOf(ask, { status: 401, code: 'key_invalid' })).toEqual([]);
    // Bodies and headers: one for all routes, apart from the path that is told back.
    const before = refusals.get('openai') ?? seen.get('openai');
    refusals.set('openai', before ?? []);
    expect(seen.get('openai')).toEqual(before);
    expect(seen.get('openai')).toHaveLength(1);
    expect(seen.get('problem')).toHaveLength(1);
    refusals.set('problem', refusals.get('problem') ?? seen.get('problem') ?? []);
    expect(seen.get('problem')).toEqual(refusals.get('problem'));
  });
  const refusals = new Map<string, string[]>();

  it('answers a key that lacks its scope 403, and takes any of those it asks for', async () => {
    const wrong: unknown[] = [];
    for (const route of routes.filter((one) => !isOpen(one))) {
      for (const scope of keyScope.options) {
        const { status, code, calls: made } = await send(route, key(scope));
        const isRefused = status === 403 && code === 'scope_missing';
        if (isRefused === route.scopes.includes(scope) || (isRefused && made.length > 0))
          wrong.push([nameOf(route), scope, status, code, made]);
        if (status === 401 || status >= 500) wrong.push([nameOf(route), scope, status, code]);
      }
    }
    expect(wrong).toEqual([]);
  });
});

/** Whose ids a path's parameters are: `jobs/id` of `/api/jobs/{id}/events`. */
function idsOf({ path }: Route): string[][] {
  const words = path.split('/').filter((word) => word !== '' && word !== 'api' && word !== 'v1');
  const names = [...path.matchAll(/\{(.+?)\}/g)].map((match) => match[1] ?? '');
  return names.map((name) => Object.keys(ids).filter((one) => one.split(' ')[0] === `${words[0]}/${name}`));
}

/** Parameters that name nothing of a tenant's. */
const tenantless = new Set(['/docs/{file}', '/api/replicas/{name}/drain', '/api/replicas/{name}/resume']);

describe('what is of another tenant', () => {
  it('is not there: the same status, body, headers and work as what is nobody’s', async () => {
    const wrong: unknown[] = [];
    let asked = 0;
    for (const route of routes.filter(({ path }) => path.includes('{') && !tenantless.has(path))) {
      const names = [...route.path.matchAll(/\{(.+?)\}/g)].map((match) => match[1] ?? '');
      const kinds = idsOf(route);
      for (const [place, kind] of kinds.entries())
        if (kind.length === 0) wrong.push([nameOf(route), names[place]]);
      for (const first of kinds[0] ?? []) {
        const of = (whose: 'theirs' | 'nobodys') =>
          Object.fromEntries(
            names.map((name, place) => [
              name,
              ids[place === 0 ? first : (kinds[place]?.[0] ?? '')]?.[whose] ?? '',
            ]),
          );
        const [foreign, none] = [
          await send(route, key('all'), { parameters: of('theirs') }),
          await send(route, key('all'), { parameters: of('nobodys') }),
        ];
        asked += 1;
        if (foreign.status !== 404 || JSON.stringify(foreign) !== JSON.stringify(none)) {
          wrong.push([nameOf(route), first, foreign, none]);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThan(25);
    expect(gateway.queue.cancelled).toEqual([]);
  });

  it('is in no list', async () => {
    const lists = routes.filter(({ method, path }) => method === 'GET' && !path.includes('{'));
    for (const route of lists) {
      const { body } = await send(route, key('all'));
      for (const { theirs: id } of Object.values(ids)) expect(body, nameOf(route)).not.toContain(id);
      expect(body, nameOf(route)).not.toContain('secret?');
    }
    const dropped = await gateway.app.request('/api/dead-letters?queue=job:encoder_in', {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${key('all')}` },
    });
    expect(await dropped.json()).toEqual({ dropped: 0 });
  });

  it('is there for its own tenant', async () => {
    for (const [kind, { theirs: id }] of Object.entries(ids)) {
      const [where, name] = kind.split(' ')[0]?.split('/') ?? [];
      const prefix = where === 'models' ? '/v1' : '/api';
      const routeOf =
        where === 'queries' ? `/api/queries/${id}/explain` : `${prefix}/${where}/${encodeURIComponent(id)}`;
      if (name === 'delivery_id' || kind === 'jobs/id waiting') continue;
      const response = await gateway.app.request(routeOf, {
        headers: { Authorization: `Bearer ${key('theirs')}` },
      });
      expect([kind, response.status]).toEqual([kind, 200]);
    }
    const cancelled = await gateway.app.request(`/api/jobs/${ids['jobs/id waiting']?.theirs}`, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${key('theirs')}` },
    });
    expect(cancelled.status).toBe(202);
  });
});

/** Where a route is told of a collection, other than in its path. */
function takesCollection({ operation }: Route): 'query' | 'body' | null {
  if (operation.parameters?.some((one) => one.in === 'query' && one.name === 'collection')) return 'query';
  const contents = Object.values(operation.requestBody?.content ?? {});
  const named = contents.some(({ schema }) => {
    const properties = schema.$ref === undefined ? schema : schemas[schema.$ref.split('/').at(-1) ?? ''];
    return 'collection' in ((properties as { properties?: object } | undefined)?.properties ?? {});
  });
  return named ? 'body' : null;
}

/** What a key for other collections is answered there. */
const byRoute: Record<string, { status: number; code?: string; body?: RegExp }> = {
  'POST /query': { status: 404, code: 'collection_not_found' },
  'POST /search': { status: 404, code: 'collection_not_found' },
  'POST /ingest': { status: 403, code: 'collection_forbidden' },
  'POST /api/documents': { status: 403, code: 'collection_forbidden' },
  'POST /api/documents/upload': { status: 403, code: 'collection_forbidden' },
  'GET /api/documents': { status: 200, body: /"documents":\[\]/ },
  'GET /api/jobs': { status: 200, body: /"jobs":\[\]/ },
  'POST /api/documents/delete': { status: 200, body: /"deleted":0/ },
  // Asks for the scope admin, which no key for some collections has.
  'POST /api/audit': { status: 403, code: 'scope_missing' },
};

describe('a key for some collections', () => {
  it('meets the others nowhere', async () => {
    const { registry } = gateway;
    for (const change of [
      { tenant: mine.tenant, collection: 'others' },
      { tenant: mine.tenant, collection: mine.collection, externalId: 'b' },
    ])
      await acceptDocument(gateway, { change, jobId: `job_${change.collection}` });
    const [other] = await registry.listDocuments(mine.tenant, { collection: 'others' });
    const bearer = key('notes only');
    const wrong: unknown[] = [];
    for (const route of routes) {
      const place = takesCollection(route);
      if (place === null) continue;
      for (const collection of ['others', 'no-such-collection']) {
        const more = place === 'query' ? { query: `?collection=${collection}` } : { body: { collection } };
        const { status, code, body } = await send(route, bearer, more);
        const expected = byRoute[nameOf(route)];
        const fits =
          expected?.status === status &&
          (expected.code ?? code) === code &&
          (expected.body ?? /./).test(body);
        if (!fits) wrong.push([nameOf(route), collection, status, code, body.slice(0, 200)]);
      }
    }
    expect(wrong).toEqual([]);

    const ask = async (path: string, method = 'GET', body?: object) => {
      const response = await gateway.app.request(path, {
        method,
        headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.text() };
    };
    for (const path of ['', '/content', '/text', '/chunks']) {
      const { body, status } = await ask(`/api/documents/${other?.documentId}${path}`);
      expect([status, body]).toEqual([404, expect.stringContaining('There is no such document.')]);
    }
    expect((await ask(`/api/documents/${other?.documentId}`, 'DELETE')).status).toBe(404);
    for (const path of ['', '/status', '/events'])
      expect((await ask(`/api/jobs/job_others${path}`)).status).toBe(404);
    for (const method of ['DELETE', 'PATCH', 'GET']) {
      const body = method === 'PATCH' ? { chunk_size: 64 } : undefined;
      expect((await ask('/api/collections/others', method, body)).status).toBe(404);
    }
    expect((await ask('/api/collections', 'POST', { name: 'fresh' })).status).toBe(403);
    const completion = { model: 'rag:others', messages: [{ role: 'user', content: 'x' }] };
    expect((await ask('/v1/chat/completions', 'POST', completion)).status).toBe(404);
    expect((await ask('/v1/models/rag:others')).status).toBe(404);
    for (const path of ['/api/documents', '/api/jobs', '/api/collections', '/v1/models']) {
      const { status, body } = await ask(path);
      expect([path, status, body.includes('others')]).toEqual([path, 200, false]);
      expect(body, path).toContain('notes');
    }
    // Without a name the default collection is meant, which this key is not for either.
    expect((await ask('/query', 'POST', { query: 'x' })).status).toBe(404);
    expect((await ask('/query', 'POST', { query: 'x', collection: 'notes' })).status).toBe(200);
  });

  it('asks as much for what it may not see as for what is not there', async () => {
    const asked = { question: 'x', status: 'completed', mode: 'sync', collection: 'others' };
    gateway.explain.note({ id: 'qry_others', tenant: mine.tenant }, 'gateway', () => asked);
    await acceptDocument(gateway, {
      change: { tenant: mine.tenant, collection: 'others' },
      jobId: 'job_others',
    });
    gateway.queue.jobs.set('qry_others', { tenant: mine.tenant, collection: 'others', status: 'queued' });
    const [document] = await gateway.registry.listDocuments(mine.tenant, { collection: 'others' });
    const others: Record<string, string> = {
      ...{ jobs: 'job_others', queries: 'qry_others', documents: document?.documentId ?? '' },
    };
    const differ: unknown[] = [];
    for (const route of routes.filter(({ path }) => path.includes('{id}'))) {
      const id = others[route.path.split('/')[2] ?? ''];
      if (id === undefined) continue;
      for (const forbidden of route.path.startsWith('/api/jobs/') ? [id, 'qry_others'] : [id]) {
        const answers: Answer[] = [];
        for (const one of [forbidden, `${forbidden.slice(0, 4)}nobodys`])
          answers.push(await send(route, key('notes only'), { parameters: { id: one } }));
        const [forbiddenTo, unknown] = answers;
        expect(unknown?.status, nameOf(route)).toBe(404);
        if (JSON.stringify(forbiddenTo) !== JSON.stringify(unknown))
          differ.push([nameOf(route), forbiddenTo, unknown]);
      }
    }
    expect(differ).toEqual([]);
  });

  it('does not read the documentation by asking an empty default', async () => {
    const { registry, pepper } = gateway;
    const issue = (collections: string[]) =>
      issueKey(registry, pepper, {
        ...{ tenant: mine.tenant, name: null, scopes: ['query'], collections, limits: null, expiresAt: null },
      });
    await gateway.keyring.refresh();
    const ask = async (bearer: string) => {
      const response = await gateway.app.request('/search', {
        method: 'POST',
        headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ query: 'x' }),
      });
      expect(response.status).toBe(200);
      const { envelope } = gateway.queue.submitted.at(-1) ?? {};
      return (envelope as { by_name_only?: boolean }).by_name_only;
    };
    expect(await ask((await issue(['default'])).key)).toBe(true);
    expect(await ask((await issue(['default', 'vortex-docs'])).key)).toBeUndefined();
  });

  it('does not hear from a job what another collection than the one it was asked of has answered', async () => {
    const { registry, pepper, queue } = gateway;
    const made = await issueKey(registry, pepper, {
      ...{ tenant: mine.tenant, name: null, scopes: ['query'], collections: ['default'], limits: null },
      expiresAt: null,
    });
    const job = { tenant: mine.tenant, collection: 'default', status: 'completed' };
    const statusOf = async (collection: string) => {
      queue.jobs.set('qry_asked', { ...job, result: JSON.stringify({ answer: 'x', collection }) });
      const headers = { Authorization: `Bearer ${made.key}` };
      return (await gateway.app.request('/api/jobs/qry_asked', { headers })).status;
    };
    expect(await statusOf('default')).toBe(200);
    expect(await statusOf('vortex-docs')).toBe(404);
  });
});

describe('what concerns all tenants', () => {
  it.each([
    ['GET', '/metrics'],
    ['POST', '/api/audit'],
    ['GET', '/api/replicas'],
    ['POST', '/api/replicas/llm_generator_1/drain'],
  ])('%s %s takes an admin of the first tenant, or the machine', async (method, path) => {
    const bearers = {
      mine: key('all'),
      machine: textOfKey(localKey(gateway.pepper)),
      operator: (
        await issueKey(gateway.registry as Registry, gateway.pepper, {
          ...{ tenant: 'default', name: null, scopes: ['admin'], collections: null, expiresAt: null },
        })
      ).key,
    };
    const statuses: Record<string, number> = {};
    for (const [who, bearer] of Object.entries(bearers)) {
      const response = await gateway.app.request(path, {
        method,
        headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' },
        ...(method === 'POST' && { body: '{}' }),
      });
      statuses[who] = response.status;
    }
    expect(statuses).toEqual({ mine: 403, machine: 200, operator: 200 });
  });
});
