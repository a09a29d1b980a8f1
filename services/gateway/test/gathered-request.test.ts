import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GatheredRequest } from '../src/transport/gathered-request.ts';

/** What a server hears of one request sent as `text`. */
async function heardOf(text: string, listen: (incoming: IncomingMessage) => void = () => undefined) {
  const server = createServer({ IncomingMessage: GatheredRequest });
  const heard = { pieces: [] as Buffer[], perTurn: [] as number[] };
  const ended = new Promise<void>((resolve) => {
    server.on('request', (incoming, outgoing) => {
      let turn = 0;
      incoming.on('data', (piece: Buffer) => {
        if (turn === 0)
          setImmediate(() => {
            heard.perTurn.push(turn);
            turn = 0;
          });
        turn += piece.length;
        heard.pieces.push(piece);
      });
      incoming.once('end', () => {
        outgoing.end();
        resolve();
      });
      listen(incoming);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  socket.write(text);
  await ended;
  // The last turn's.
  await new Promise(setImmediate);
  return { ...heard, text: Buffer.concat(heard.pieces).toString() };
}

const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const digits = (count: number) => Array.from({ length: count }, (_, at) => String(at % 10));

describe('a body in chunks', () => {
  it('is handed on chunk by chunk when there are few, or when they are large', async () => {
    const few = await heardOf(`${head}${digits(10).map(chunk).join('')}0\r\n\r\n`);
    expect(few.pieces.map(String)).toEqual(digits(10));
    const large = 'x'.repeat(1000);
    const many = await heardOf(`${head}${chunk(large).repeat(200)}0\r\n\r\n`);
    expect(many.text).toBe(large.repeat(200));
    expect(many.pieces.length).toBeGreaterThanOrEqual(200);
  });

  it('is gathered when it comes in a hundred thousand, and others have their turn between the reads', async () => {
    const sent = digits(100_000);
    const { text, pieces, perTurn } = await heardOf(`${head}${sent.map(chunk).join('')}0\r\n\r\n`);
    expect(text).toBe(sent.join(''));
    expect(pieces.length).toBeLessThan(200);
    // A read brings 64 kB, six for each byte of the body; without turns, 100,000 came in one.
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(16_384);
  });

  it('keeps its order where small and large chunks take turns', async () => {
    const parts = Array.from({ length: 500 }, (_, at) => String(at).padStart(at % 7 === 0 ? 300 : 3, '.'));
    const { text } = await heardOf(`${head}${parts.map(chunk).join('')}0\r\n\r\n`);
    expect(text).toBe(parts.join(''));
  });

  it('waits for a reader who pauses', async () => {
    const sent = digits(200_000);
    let pauses = 0;
    const { text } = await heardOf(`${head}${sent.map(chunk).join('')}0\r\n\r\n`, (incoming) =>
      incoming.on('data', () => {
        pauses += 1;
        incoming.pause();
        setImmediate(() => incoming.resume());
      }),
    );
    expect(text).toBe(sent.join(''));
    expect(pauses).toBeGreaterThan(1);
  });
});
