import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import busboy from 'busboy';
import { earnsTimeBytes, rewindBodyClock } from '../body-time.ts';
import type { GatewayContext } from '../exchange.ts';
import { assertNotEncoded, pointerTo } from '../middleware/json-body.ts';
import { ClientGone, gatewayProblem, type HttpProblem } from '../problem.ts';
import { isRefused } from '../refused-connections.ts';
import { fileNameOf } from './file-name.ts';
import { type ArrivedFile, receiveFile } from './incoming-file.ts';
import { keepArrived } from './keep-arrived.ts';

/**
 * A multipart body, its files streamed to disk as they come (but for small ones): what the socket brings is parsed,
 * hashed and written before more is read, so that 200 MB cost no memory. Fields may stand before, between or behind the
 * files; nothing is decided before the end.
 *
 *   receiving ──► every part written and synced      received, the caller's to dispose of
 *       ├──► too large, too many, not multipart      refused at once, with all its files gone
 *       └──► client gone, or too slow                the same, and nobody to answer
 */
export interface ReceivedUpload {
  files: ReceivedFile[];
  /** Names and values of the other parts in their order. */
  fields: { name: string; value: string }[];
  /** Removes the files nobody has taken over. */
  dispose(): Promise<void>;
}

export type ReceivedFile = ArrivedFile & { filename: string };

export interface UploadLimits {
  /** Where files are written. */
  folder: string;
  /** Of a file, and of all files of a request together. */
  maxBytes: number;
  maxFiles: number;
}

/** Beside the files a body has its fields and the lines between the parts. */
export const uploadAllowanceBytes = 1024 * 1024;
const maxFields = 40;
/** 16 k characters of metadata in UTF-8. */
const maxFieldBytes = 64 * 1024;

/** @throws HttpProblem 400 `invalid_multipart`, 413 `file_too_large`, 415, 422; ClientGone; errors of the disk. */
export async function receiveUpload(context: GatewayContext, limits: UploadLimits): Promise<ReceivedUpload> {
  const headers = context.req.header();
  if (!/^multipart\/form-data\s*(?:;|$)/i.test(headers['content-type'] ?? '')) {
    throw gatewayProblem('unsupported_media_type', {
      detail: 'Send the files as multipart/form-data; POST /api/documents takes JSON.',
    });
  }
  assertNotEncoded(headers['content-encoding']);
  if (Number(headers['content-length'] ?? 0) > limits.maxBytes + uploadAllowanceBytes) throw tooLarge(limits);
  return receive(context.env?.incoming ?? bodyOf(context), headers, limits);
}

/** Only for an app that is called as a value: asking the adaptor for the body makes it read the socket as well. */
function bodyOf(context: GatewayContext): Readable {
  const body = context.req.raw.body as ReadableStream<Uint8Array> | null;
  return body === null ? Readable.from([]) : Readable.fromWeb(body);
}

async function receive(
  source: IncomingMessage | Readable,
  headers: Record<string, string>,
  limits: UploadLimits,
): Promise<ReceivedUpload> {
  const parser = parserFor(headers, limits);
  const writing: Promise<ReceivedFile>[] = [];
  const arrived = keepArrived();
  const fields: ReceivedUpload['fields'] = [];
  const ended = Promise.withResolvers<void>();
  const refuse = (problem: Error) => {
    ended.reject(problem);
    source.unpipe(parser);
    // Ends the file that is being written, which removes itself.
    parser.destroy(problem);
  };

  parser.on('file', (name, stream, { filename }) => {
    // Between its begin and the first read nobody else listens, and an unheard error ends the process.
    stream.on('error', () => undefined);
    const known = filename === undefined ? null : fileNameOf(filename);
    if (name !== 'file' || known === null) {
      const message =
        name === 'file' ? 'must have a file name' : 'is not a known field; files are sent as file';
      stream.resume();
      return refuse(fieldRefused(name ?? '', message));
    }
    stream.once('limit', () => refuse(tooLarge(limits)));
    const written = receiveFile(limits.folder, stream).then((file) => ({ ...file, filename: known }));
    // A disk that is full must not be fed to the end of the body first.
    written.then((file) => file.kind === 'written' && arrived.add(file.path), refuse);
    writing.push(written);
  });
  parser.on('field', (name, value, { nameTruncated, valueTruncated }) => {
    if (nameTruncated) refuse(fieldRefused(name ?? '', 'is not a known field'));
    else if (valueTruncated) refuse(fieldRefused(name, `must be at most ${maxFieldBytes} bytes`));
    else fields.push({ name: name ?? '', value });
  });
  parser.on('filesLimit', () =>
    refuse(fieldRefused('file', `may come ${limits.maxFiles} times in one request`)),
  );
  parser.on('fieldsLimit', () => refuse(fieldRefused('', `may have ${maxFields} fields`)));
  parser.on('partsLimit', () => refuse(fieldRefused('', 'has too many parts')));
  parser.on('error', () => ended.reject(notMultipart('The body is not what its Content-Type says.')));
  parser.on('close', ended.resolve);
  watchSource(source, limits, { refuse, onEarned: () => void arrived.touch() });
  source.pipe(parser);

  const dispose = async () => {
    for (const file of await Promise.allSettled(writing)) {
      if (file.status === 'rejected' || file.value.kind === 'held') continue;
      await rm(file.value.path, { force: true });
    }
  };
  try {
    await ended.promise;
    const files = await Promise.all(writing);
    // The parser has already found garbage behind this body and answered for it (server.ts).
    if ('socket' in source && isRefused(source.socket)) throw new ClientGone();
    return { files, fields, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function parserFor(headers: Record<string, string>, limits: UploadLimits): busboy.Busboy {
  try {
    return busboy({
      headers,
      // Names are UTF-8 in every client of today; busboy's default is latin1.
      defParamCharset: 'utf8',
      preservePath: true,
      limits: {
        fields: maxFields,
        fieldNameSize: 100,
        fieldSize: maxFieldBytes,
        // `limit` fires when so much has come, though it may be all.
        fileSize: limits.maxBytes + 1,
        files: limits.maxFiles,
        parts: limits.maxFiles + maxFields + 1,
        headerPairs: 20,
      },
    });
  } catch {
    throw notMultipart('The Content-Type names no boundary.');
  }
}

function watchSource(
  source: IncomingMessage | Readable,
  limits: UploadLimits,
  { refuse, onEarned }: { refuse(problem: Error): void; onEarned(): void },
): void {
  let bytes = 0;
  let earned = 0;
  source.on('data', (piece: Uint8Array) => {
    bytes += piece.byteLength;
    earned += piece.byteLength;
    if (bytes > limits.maxBytes + uploadAllowanceBytes) refuse(tooLarge(limits));
    if (earned < earnsTimeBytes) return;
    earned = 0;
    if ('socket' in source) rewindBodyClock(source);
    onEarned();
  });
  const onGone = () => refuse(new ClientGone());
  source.once('error', onGone);
  source.once('close', () => {
    if (!source.readableEnded) onGone();
  });
  if (source.destroyed) onGone();
}

function fieldRefused(name: string, message: string): HttpProblem {
  return gatewayProblem('validation', {
    detail: 'The form is not as this route takes it; errors says where.',
    errors: [{ pointer: name === '' ? '' : pointerTo([name]), message }],
  });
}

function tooLarge({ maxBytes }: UploadLimits): HttpProblem {
  return gatewayProblem('file_too_large', {
    detail: `The files of one upload may have ${maxBytes.toLocaleString('en')} bytes together.`,
  });
}

function notMultipart(detail: string): HttpProblem {
  return gatewayProblem('invalid_multipart', { detail });
}
