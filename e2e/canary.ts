import { getJson } from './http.ts';

/**
 * One tenant asks in every way there is for what another tenant has. The routes come from the running gateway's
 * openapi.json, so a new one is asked too; what is named in paths and bodies are the other's real ids and names.
 */
export interface CanaryWatch {
  url: string;
  /** Of the one who asks. */
  key: string;
  /** Where the other's things are named: document, job, webhook … ids by the path's first word. */
  theirIds: Readonly<Record<string, readonly string[]>>;
  /** Words that only the other has in them. */
  canaries: readonly string[];
  /** What the other has asked, in the same words. */
  questions: readonly string[];
  collection: string;
}

export interface CanaryReport {
  requests: number;
  /** By route, with the statuses it answered. */
  statuses: Map<string, Map<number, number>>;
  /** Where a canary was seen: route and the beginning of what was said. */
  seen: { route: string; where: string }[];
}

interface Ask {
  route: string;
  path: string;
  init: RequestInit;
}

const inFlight = 20;

export async function askForCanaries(watch: CanaryWatch, requests: number): Promise<CanaryReport> {
  const asks = await everyAsk(watch);
  const report: CanaryReport = { requests: 0, statuses: new Map(), seen: [] };
  let next = 0;
  const lane = async () => {
    while (next < requests) {
      const ask = asks[next % asks.length];
      next += 1;
      if (ask === undefined) return;
      await askOnce(watch, ask, report);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return report;
}

async function askOnce(watch: CanaryWatch, { route, path, init }: Ask, report: CanaryReport): Promise<void> {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${watch.key}`);
  const reply = await fetch(`${watch.url}${path}`, { ...init, headers, signal: AbortSignal.timeout(60_000) });
  // A name that was asked for may be told back.
  const asked = decodeURIComponent(path)
    .split(/[/?&=]/)
    .filter((word) => word.length > 5);
  const told = `${JSON.stringify([...reply.headers])} ${await reply.text()}`;
  const said = asked.reduce((left, word) => left.replaceAll(word, '…'), told);
  report.requests += 1;
  const ofRoute = report.statuses.get(route) ?? new Map<number, number>();
  report.statuses.set(route, ofRoute.set(reply.status, (ofRoute.get(reply.status) ?? 0) + 1));
  for (const canary of watch.canaries) {
    const at = said.indexOf(canary);
    if (at !== -1) report.seen.push({ route, where: said.slice(Math.max(0, at - 200), at + 100) });
  }
}

async function everyAsk(watch: CanaryWatch): Promise<Ask[]> {
  const { body: document } = await getJson(`${watch.url}/openapi.json`);
  const asks: Ask[] = [];
  for (const [path, operations] of Object.entries<object>(document.paths)) {
    for (const [method, operation] of Object.entries<{ requestBody?: RequestBody }>(
      operations as Record<string, { requestBody?: RequestBody }>,
    )) {
      const example = operation.requestBody?.content['application/json']?.example;
      for (const filled of filledPaths(path, watch)) {
        asks.push(plainAsk(`${method.toUpperCase()} ${path}`, method, filled, example, watch));
      }
    }
  }
  return [...asks.filter(({ route }) => !destroysOwn.has(route)), ...questionsOf(watch), ...listsOf(watch)];
}

interface RequestBody {
  content: Record<string, { example?: object }>;
}

/** Would take away what the asker asks with. */
const destroysOwn = new Set(['DELETE /api/collections/{name}', 'POST /api/documents/delete']);

/** The path with each of the other's ids in it; a path without parameters as it is. */
function filledPaths(path: string, { theirIds, collection }: CanaryWatch): string[] {
  const words = path.split('/').filter((word) => word !== '' && word !== 'api' && word !== 'v1');
  const names = [...path.matchAll(/\{(.+?)\}/g)].map((match) => match[1] ?? '');
  let paths = [path];
  for (const name of names) {
    const ids = theirIds[`${words[0]}/${name}`] ?? theirIds[words[0] ?? ''] ?? [collection];
    paths = paths.flatMap((one) => ids.map((id) => one.replace(`{${name}}`, encodeURIComponent(id))));
  }
  return paths;
}

function plainAsk(
  route: string,
  method: string,
  path: string,
  example: object | undefined,
  watch: CanaryWatch,
): Ask {
  const isUpload = route === 'POST /api/documents/upload';
  const form = new FormData();
  form.set('collection', watch.collection);
  form.set('file', new Blob(['Of my own.']), 'own.txt');
  const body = example === undefined ? undefined : { ...example, ...named(example, watch) };
  return {
    route,
    path: path.endsWith('/events') ? `${path}?last_event_id=0` : path,
    init: {
      method: method.toUpperCase(),
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
      ...(isUpload && { body: form }),
    },
  };
}

/** The same collection, the same questions. */
function named(example: object, { collection, questions }: CanaryWatch): object {
  return {
    ...('collection' in example && { collection }),
    ...('query' in example && { query: questions[0], collection }),
    ...('scopes' in example && { scopes: ['query'], collections: [collection] }),
    ...('url' in example && { url: 'https://mine.example/hook' }),
    ...('model' in example && { model: `rag:${collection}` }),
    ...('messages' in example && { messages: [{ role: 'user', content: questions[0] }] }),
  };
}

/** Questions in every mode, way of delivery and state of the caches. */
function questionsOf({ questions, collection }: CanaryWatch): Ask[] {
  const json = (route: string, path: string, body: object, headers: Record<string, string> = {}): Ask => ({
    ...{ route, path },
    init: {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    },
  });
  return questions.flatMap((query) => [
    ...['default', 'bypass', 'refresh'].flatMap((cache) => [
      json('POST /query', '/query', { query, collection, cache }),
      json('POST /query stream', '/query', { query, collection, cache, stream: true }),
    ]),
    json('POST /query', '/query', { query }),
    json('POST /query async', '/query', { query, collection, async: true }),
    ...['dense', 'sparse', 'hybrid'].map((mode) =>
      json('POST /search', '/search', { query, collection, mode, top_k: 50, neighbours: 3 }),
    ),
    json('POST /search filter', '/search', { query, collection, filter: { owner: 'theirs' } }),
    json('POST /v1/chat/completions stream', '/v1/chat/completions', {
      ...{ model: `rag:${collection}`, stream: true, messages: [{ role: 'user', content: query }] },
    }),
    json(
      'POST /api/documents idempotent',
      '/api/documents',
      { collection, title: 'Mine', text: `My own words on: ${query}` },
      { 'idempotency-key': 'the-same-key-as-theirs' },
    ),
  ]);
}

function listsOf({ collection }: CanaryWatch): Ask[] {
  return [
    `/api/documents?collection=${collection}&limit=200`,
    '/api/documents?q=vault',
    `/api/jobs?collection=${collection}&limit=200`,
    '/api/jobs?state=completed',
    '/api/dead-letters?limit=200',
    '/api/dead-letters?queue=job:encoder_in',
  ].map((path) => ({ route: `GET ${path.split('?')[0]} filtered`, path, init: {} }));
}
