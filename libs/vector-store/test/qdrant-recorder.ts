import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OpenApiValidator } from './openapi-validator.ts';

export interface RecordedRequest {
  method: string;
  /** Without the collection's name: `points/query`, `index`, `exists`, or empty. */
  action: string;
  collection: string;
  wait: string | null;
  apiKey: string | undefined;
  body: Record<string, unknown>;
}

/** The `result` of a reply, or a status and the text of an error. */
export type CannedReply = { result: unknown } | { status: number; error: string };

/**
 * Listens where Qdrant would, writes down what is asked, holds it against Qdrant's own OpenAPI document
 * when there is one, and answers what the test has put down. It stores nothing and searches nothing:
 * what Qdrant does with a request is learned from a Qdrant only (see qdrant.store.test.ts).
 */
export interface QdrantRecorder {
  url: string;
  requests: RecordedRequest[];
  /** Requests, or replies of a test, that Qdrant's document does not describe. */
  violations: string[];
  answer(reply: (request: RecordedRequest) => CannedReply | undefined): void;
  close(): Promise<void>;
}

const update = { result: { operation_id: 1, status: 'completed' } };
const collectionInfo = (sparse: object) => ({
  status: 'green',
  optimizer_status: 'ok',
  segments_count: 1,
  payload_schema: {},
  config: {
    params: { vectors: { dense: { size: 48, distance: 'Cosine' } }, ...sparse },
    hnsw_config: { m: 0, ef_construct: 100, full_scan_threshold: 10_000 },
    optimizer_config: { default_segment_number: 0, flush_interval_sec: 5 },
  },
});
/** A collection as builds without a search by words made it. */
export const olderCollection = collectionInfo({});

/** What an empty, willing Qdrant would answer. */
const defaults: Record<string, CannedReply> = {
  'GET exists': { result: { exists: false } },
  'GET ': { result: collectionInfo({ sparse_vectors: { lexical: { modifier: 'idf' } } }) },
  'PUT ': { result: true },
  'PUT index': update,
  'PUT points': update,
  'POST points': { result: [] },
  'POST points/delete': update,
  'POST points/query': { result: { points: [] } },
  'POST points/scroll': { result: { points: [], next_page_offset: null } },
  'POST points/count': { result: { count: 0 } },
};

export async function startQdrantRecorder(validator: OpenApiValidator | null): Promise<QdrantRecorder> {
  const requests: RecordedRequest[] = [];
  const violations: string[] = [];
  let scripted: (request: RecordedRequest) => CannedReply | undefined = () => undefined;

  const server = createServer(async (incoming, outgoing) => {
    const method = incoming.method ?? '';
    const url = new URL(incoming.url ?? '/', 'http://recorder');
    const text = await textOf(incoming);
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const [, , collection = '', ...action] = url.pathname.split('/');
    const request: RecordedRequest = {
      method,
      action: action.join('/'),
      collection,
      wait: url.searchParams.get('wait'),
      apiKey: incoming.headers['api-key']?.toString(),
      body: (body ?? {}) as Record<string, unknown>,
    };
    requests.push(request);
    const problem = validator?.request({ method, url, body }) ?? null;
    if (problem !== null) violations.push(problem);

    const reply = scripted(request) ?? defaults[`${method} ${request.action}`];
    const failed = reply === undefined || 'error' in reply;
    const envelope = failed
      ? { status: { error: reply?.error ?? 'the test has no reply for this' }, time: 0 }
      : { result: reply.result, status: 'ok', time: 0 };
    const wrong = failed ? null : (validator?.reply({ method, url }, envelope) ?? null);
    if (wrong !== null) violations.push(wrong);
    outgoing.writeHead(failed ? (reply?.status ?? 501) : 200, { 'content-type': 'application/json' });
    outgoing.end(JSON.stringify(envelope));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    violations,
    answer(reply) {
      scripted = reply;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part);
  return Buffer.concat(parts).toString();
}
