import type { Readable } from 'node:stream';
import { Agent, fetch, type Response, request } from 'undici';
import { GatewayUnreachable, problemFrom } from './errors.ts';

export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export interface Sending extends CallOptions {
  /** GET without a body, POST with one. */
  method?: string;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string> | undefined;
  /**
   * The answer comes in pieces, with a comment at least every 10 s: a connection that says nothing for
   * longer than `silenceMs` is dead, whatever TCP thinks.
   */
  events?: boolean;
}

interface Schema<T> {
  parse(content: unknown): T;
}

/**
 * One gateway and the connections to it.
 * @throws ApiProblem, GatewayUnreachable; what was thrown by an aborted `signal` stays as it is
 */
export interface Transport {
  readonly url: string;
  /** Any answer that is not an error. */
  send(path: string, sending?: Sending): Promise<Response>;
  text(path: string, sending?: Sending): Promise<string>;
  json<T>(schema: Schema<T>, path: string, sending?: Sending): Promise<T>;
  /** A body of known length from a stream; what is not read from it is never in memory. */
  stream<T>(
    schema: Schema<T>,
    path: string,
    sending: CallOptions & { headers: Record<string, string>; body: Readable },
  ): Promise<T>;
  /** Is it ready? Answers of any status. */
  readiness(call: CallOptions): Promise<{ ready: boolean; reasons: string[] }>;
  close(): Promise<void>;
}

const silenceMs = 45_000;

/** @param key sent with every request; absent: none. */
export function createTransport(address: string, key?: string): Transport {
  const url = address.replace(/\/+$/, '');
  const signedIn = key === undefined ? {} : { authorization: `Bearer ${key}` };
  // A query may take five minutes until its first byte; how long is the caller's matter (`signal`).
  const patient = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  const listening = new Agent({ headersTimeout: silenceMs, bodyTimeout: silenceMs });

  async function reach(path: string, sending: Sending): Promise<Response> {
    const { method, body, headers, events, signal } = sending;
    try {
      return await fetch(`${url}${path}`, {
        dispatcher: events ? listening : patient,
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...signedIn,
          ...headers,
        },
        ...(signal && { signal }),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new GatewayUnreachable(url, error);
    }
  }

  async function send(path: string, sending: Sending = {}): Promise<Response> {
    const response = await reach(path, sending);
    if (response.ok) return response;
    throw problemFrom(response.status, await bodyOf(response, sending), retryAfterOf(response));
  }

  async function text(path: string, sending: Sending = {}): Promise<string> {
    return bodyOf(await send(path, sending), sending);
  }

  /** An answer that breaks off in its body is a gateway that went away, as one that never answered. */
  async function bodyOf(response: Response, { signal }: CallOptions): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new GatewayUnreachable(url, error);
    }
  }

  return {
    url,
    send,
    text,
    json: async (schema, path, sending) => schema.parse(JSON.parse(await text(path, sending))),
    async stream(schema, path, { headers, body, signal }) {
      let status: number;
      let answer: string;
      let retryAfter: string | null;
      try {
        const response = await request(`${url}${path}`, {
          dispatcher: patient,
          method: 'POST',
          headers: { ...signedIn, ...headers },
          body,
          ...(signal && { signal }),
        });
        status = response.statusCode;
        retryAfter = String(response.headers['retry-after'] ?? '') || null;
        answer = await response.body.text();
      } catch (error) {
        if (signal?.aborted) throw error;
        throw new GatewayUnreachable(url, error);
      }
      if (status >= 300) throw problemFrom(status, answer, retryAfter);
      return schema.parse(JSON.parse(answer));
    },
    async readiness(call) {
      const response = await reach('/readyz', call);
      const content = (await response.json().catch(() => ({}))) as { reasons?: unknown };
      const reasons = Array.isArray(content.reasons) ? content.reasons.map(String) : [];
      return { ready: response.status === 200, reasons };
    },
    close: async () => void (await Promise.all([patient.close(), listening.close()])),
  };
}

function retryAfterOf(response: Response): string | null {
  return response.headers.get('retry-after');
}

/** `?collection=notes&limit=50`; what is undefined is left out. */
export function queryString(values: Readonly<Record<string, string | number | undefined>>): string {
  const pairs = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}
