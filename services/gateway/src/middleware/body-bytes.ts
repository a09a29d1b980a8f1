import type { IncomingMessage } from 'node:http';
import type { GatewayContext } from '../exchange.ts';
import { ClientGone, gatewayProblem, type HttpProblem } from '../problem.ts';
import { isRefused } from '../refused-connections.ts';

/**
 * The request body, counted as it arrives. The header is believed in one direction only: a declared length
 * over the limit is refused at once; a small, missing or chunked one allows nothing. (Body limits that trust
 * Content-Length have been got round in this very framework: CVE-2026-44456.) What a refused client still
 * sends is drained by `drainUnread`.
 * @throws HttpProblem 413 `body_too_large`; ClientGone.
 */
export async function readBody(context: GatewayContext, maxBytes: number): Promise<Buffer> {
  const declared = context.req.header('content-length');
  if (declared !== undefined && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  const incoming = context.env?.incoming;
  return incoming === undefined
    ? readWebStream(context.req.raw.body, maxBytes)
    : readIncoming(incoming, maxBytes);
}

function readIncoming(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const settle = (outcome: () => void) => {
      incoming.off('data', onData);
      incoming.off('end', onEnd);
      incoming.off('close', onClose);
      incoming.off('error', onClose);
      outcome();
    };
    const onData = (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > maxBytes) settle(() => reject(tooLarge(maxBytes)));
      else pieces.push(piece);
    };
    const onEnd = () =>
      settle(() => {
        // The parser has already found garbage behind this body and answered for it (server.ts).
        if (isRefused(incoming.socket)) reject(new ClientGone());
        else resolve(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, bytes));
      });
    const onClose = () => settle(() => reject(new ClientGone()));
    if (incoming.destroyed) onClose();
    incoming.on('data', onData);
    incoming.once('end', onEnd);
    incoming.once('close', onClose);
    incoming.once('error', onClose);
  });
}

async function readWebStream(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  if (body !== null) {
    for await (const piece of body) {
      bytes += piece.byteLength;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      pieces.push(piece);
    }
  }
  return Buffer.concat(pieces, bytes);
}

function tooLarge(maxBytes: number): HttpProblem {
  return gatewayProblem('body_too_large', {
    detail: `This route takes bodies of at most ${maxBytes.toLocaleString('en')} bytes.`,
  });
}
