import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GatheredRequest } from '../src/transport/gathered-request.ts';

/** What a server hears of one request sent as `text`. */
async function heardOf(text: string, listen: (incoming: IncomingMessage) => void = () => undefined) {
  const server = createServer({ IncomingMessage: GatheredRequest });
  const heard = { pieces: [] as Buffer[], reads: [] as { turn: number; bytes: number }[] };
  let turn = 0;
  const countTurns = () => {
    turn += 1;
    if (server.listening) setImmediate(countTurns);
  };
  const ended = new Promise<void>((resolve) => {
    server.on('request', (incoming, outgoing) => {
      incoming.on('data', (piece: Buffer) => {
        heard.pieces.push(piece);
        const read = heard.reads.at(-1);
        // What was gathered is handed on at the end of the turn it came in.
        if (read !== undefined && turn - read.turn <= 1) read.bytes += piece.length;
        else heard.reads.push({ turn, bytes: piece.length });
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
  countTurns();
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  socket.write(text);
  await ended;
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

  it('is gathered when it comes in a hundred thousand, and read a piece at a time', async () => {
    const sent = digits(100_000);
    const { text, pieces, reads } = await heardOf(`${head}${sent.map(chunk).join('')}0\r\n\r\n`);
    expect(text).toBe(sent.join(''));
    expect(pieces.length).toBeLessThan(200);
    // A read brings 64 kB, six for each byte of the body; without turns, 100,000 came in one.
    expect(Math.max(...reads.map(({ bytes }) => bytes))).toBeLessThanOrEqual(16_384);
    // What a question needs between its begin and its end comes in between.
    const turnsBetween = reads.slice(1).map(({ turn }, at) => turn - (reads[at]?.turn ?? 0));
    expect(Math.min(...turnsBetween)).toBeGreaterThan(5);
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
