import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Received {
  path: string;
  id: string;
  timestamp: number;
  /** By the receiver's own check, which shares no code with the sender's. */
  signed: boolean;
  body: { type: string; timestamp: string; data: Record<string, unknown> };
  raw: string;
}

export interface Receiver {
  url: string;
  received: Received[];
  /** What it answers; 200 unless the test says otherwise. */
  answer: (response: ServerResponse, message: Received) => void;
}

/** A receiver of webhooks on loopback, written as the specification reads. */
export async function startReceiver(secretOf: (path: string) => string): Promise<Receiver> {
  const receiver: Receiver = { url: '', received: [], answer: (response) => response.end('thanks') };
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const raw = Buffer.concat(parts).toString();
    const header = (name: string) => String(request.headers[name]);
    const path = request.url ?? '';
    const [id, at] = [header('webhook-id'), header('webhook-timestamp')];
    const key = Buffer.from(secretOf(path).split('_')[1] ?? '', 'base64');
    const expected = createHmac('sha256', key).update(`${id}.${at}.`).update(raw).digest();
    const given = Buffer.from(header('webhook-signature').replace('v1,', ''), 'base64');
    const signed = given.length === expected.length && timingSafeEqual(given, expected);
    const message = { path, id, timestamp: Number(at), signed, raw, body: JSON.parse(raw) };
    receiver.received.push(message);
    receiver.answer(response, message);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return receiver;
}
