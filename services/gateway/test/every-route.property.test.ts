import { stages } from '@vortex/contracts';
import { seededRandom } from '@vortex/routing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { completed, envelopeOf, gatewayUnderTest, sampleAnswer } from './gateway-under-test.ts';
import { type MadeRequest, type OpenApi, type Operation, RequestMaker } from './request-maker.ts';
import { acceptDocument } from './with-document.ts';

/**
 * Whatever the document lets a client send, and much that it does not: the status is one that the route names, no 5xx,
 * refusals are problem documents, and every JSON answer is as its schema says. `VORTEX_ROUTE_CASES` and
 * `VORTEX_ROUTE_SEED` look further than the suite does.
 */
const casesPerOperation = Number(process.env.VORTEX_ROUTE_CASES ?? 40);
const seed = Number(process.env.VORTEX_ROUTE_SEED ?? 1);

/** Something of every kind, and a key that may do everything. */
async function gatewayWithEverything() {
  const gateway = await gatewayUnderTest();
  const { queue, registry, post } = gateway;
  const { documentId, jobId, publish } = await acceptDocument(gateway);
  await publish();
  const webhook = await registry.createWebhook({
    ...{ tenant: 'default', url: 'https://hooks.example/x', events: ['document.ready'] },
    ...{ secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', description: null },
  });
  queue.script = async (job) => {
    if (job.list === stages.audit.list) {
      const nothing = {
        clean: true,
        collections: [],
        originals: 0,
        texts: 0,
        problems: [],
        problem_count: 0,
      };
      return completed(job.id, nothing);
    }
    if (job.list === stages.chunks.list) return completed(job.id, { chunks: [] });
    if (envelopeOf(job).want === 'hits') {
      return completed(job.id, { hits: [], collection: 'c', mode: 'hybrid', degraded: [] });
    }
    return completed(job.id, sampleAnswer);
  };
  const made = await post('/api/keys', { scopes: ['query', 'ingest', 'admin'] });
  const { key, id: keyId } = (await made.json()) as { key: string; id: string };
  const known: Record<string, string> = {
    ...{ documents: documentId, jobs: jobId, webhooks: webhook.id, keys: keyId, collections: 'notes' },
    ...{ replicas: 'llm_generator_1', models: 'notes' },
  };
  return { ...gateway, known, key };
}

/** Its story is waited for. */
const waitsForIt = new Set(['get /api/queries/{id}/explain']);

describe('every route of openapi.json', () => {
  it('keeps to it, whatever is sent', async () => {
    const { app: first } = await gatewayUnderTest();
    const api = (await (await first.request('/openapi.json')).json()) as OpenApi;
    const random = seededRandom(seed);
    const check = responseChecker(api);
    const complaints = new Set<string>();
    let succeeded = 0;
    let cases = 0;
    for (const [path, operations] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const route = `${method} ${path}`;
        // Its own, for a case may well delete what the next one wants.
        const { app, known, key } = await gatewayWithEverything();
        const maker = new RequestMaker(api, random, known);
        for (let one = 0; one < (waitsForIt.has(route) ? 3 : casesPerOperation); one += 1) {
          const { target, ...made } = maker.make(method, path, operation);
          if (random() < 0.9) made.headers.Authorization = `Bearer ${random() < 0.95 ? key : `${key}x`}`;
          const signal = AbortSignal.timeout(5000);
          const answer = await answerOf(app.request(target, { ...made, signal }));
          const complaint = check(operation, answer);
          if (complaint !== null) complaints.add(`${route}: ${complaint} ← ${shown({ ...made, target })}`);
          if (answer.status < 400) succeeded += 1;
          cases += 1;
        }
      }
    }
    expect([...complaints]).toEqual([]);
    expect(cases).toBeGreaterThan(50 * casesPerOperation);
    // Otherwise nothing but the doors would have been tried.
    expect(succeeded / cases).toBeGreaterThan(0.3);
  }, 120_000);
});

interface Answered {
  status: number;
  contentType: string;
  text: string;
}

async function answerOf(asked: Response | Promise<Response>): Promise<Answered> {
  const response = await asked;
  const contentType = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
  // Of a stream that goes on, only that it has begun.
  const text = contentType === 'text/event-stream' ? '' : await response.text();
  if (text === '') await response.body?.cancel().catch(() => undefined);
  return { status: response.status, contentType, text };
}

/** Null, or what is wrong with an answer. */
function responseChecker(api: OpenApi): (operation: Operation, answer: Answered) => string | null {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(api, 'api');
  const compiled = new Map<object, (value: unknown) => boolean>();
  const pointerTo = (schema: object) =>
    JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')) as object;
  return (operation, { status, contentType, text }) => {
    if (status >= 500 && ![502, 503, 504].includes(status)) return `${status} ${text.slice(0, 300)}`;
    // Every route may be called by the wrong method or path: a parameter with a slash is another path.
    if (status === 405 || (status === 404 && /"code":"not_found"/.test(text))) return null;
    const described = operation.responses[status];
    if (described === undefined) return `${status} is not described: ${text.slice(0, 300)}`;
    if (described.content === undefined)
      return text === '' ? null : `${status} has a body that is not described`;
    if (text === '') return null;
    const content = described.content[contentType] ?? described.content[`${contentType}; charset=utf-8`];
    if (content === undefined) {
      const isAny = '*/*' in described.content;
      return isAny ? null : `${status} is of type ${contentType}`;
    }
    if (content.schema === undefined || !contentType.endsWith('json')) return null;
    const validate = compiled.get(content.schema) ?? ajv.compile(pointerTo(content.schema));
    compiled.set(content.schema, validate);
    if (validate(JSON.parse(text))) return null;
    const errors = 'errors' in validate ? JSON.stringify(validate.errors).slice(0, 300) : '';
    return `${status} is not as its schema says: ${errors} ${text.slice(0, 300)}`;
  };
}

function shown({ method, target, headers, body }: MadeRequest): string {
  return `${method} ${target.slice(0, 200)} ${JSON.stringify(headers)} ${String(body ?? '').slice(0, 300)}`;
}
