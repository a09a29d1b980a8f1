import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { GatewayParts } from './dependencies.ts';
import { baseHeaders, type Exchange, type GatewayContext, notModified } from './exchange.ts';
import { gatewayProblem } from './problem.ts';

/** A content-addressed file as an answer: streamed, so that 200 MB cost no memory, whole or one range of it. */
export interface ServedFile {
  file: string;
  /** SHA-256 of its bytes: they never change, so it is a strong tag. */
  hash: string;
  contentType: string;
  headers: Record<string, string>;
}

/** @throws HttpProblem 404 when the file is missing, though the registry names it; 416 for a range it does not have. */
export async function fileAnswer(
  parts: Pick<GatewayParts, 'log'>,
  context: GatewayContext,
  exchange: Exchange,
  { file, hash, contentType, headers }: ServedFile,
): Promise<Response> {
  const etag = `"${hash}"`;
  const caching = { ETag: etag, 'Cache-Control': 'private, no-cache' };
  if (matches(context.req.header('if-none-match'), etag)) return notModified(exchange, caching);
  const handle = await openStored(parts, exchange, file);
  let keepOpen = false;
  try {
    const { size } = await handle.stat();
    const range = rangeOf(context, etag, size);
    if (range === 'unsatisfiable') {
      throw gatewayProblem('range_not_satisfiable', {
        detail: `The content has ${size} bytes, counted from 0.`,
        headers: { 'Accept-Ranges': 'bytes', 'Content-Range': `bytes */${size}` },
      });
    }
    const all = { ...baseHeaders(exchange), ...caching, ...headers, 'Accept-Ranges': 'bytes' };
    const { start, end } = range ?? { start: 0, end: size - 1 };
    const full = {
      ...all,
      'Content-Type': contentType,
      'Content-Length': String(end - start + 1),
      ...(range !== null && { 'Content-Range': `bytes ${start}-${end}/${size}` }),
    };
    const status = range === null ? 200 : 206;
    // Nobody reads the body of an answer to HEAD, so nobody would close the file.
    if (exchange.method === 'HEAD' || size === 0) return new Response(null, { status, headers: full });
    keepOpen = true;
    exchange.answerBytes = end - start + 1;
    const stream = handle.createReadStream({ start, end, highWaterMark: 256 * 1024 });
    return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, { status, headers: full });
  } finally {
    if (!keepOpen) await handle.close();
  }
}

async function openStored(
  { log }: Pick<GatewayParts, 'log'>,
  exchange: Exchange,
  file: string,
): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    log.error({ err: error, request_id: exchange.requestId }, 'a registered content is missing');
    throw gatewayProblem('not_found', {
      detail: 'This content is missing from the data folder; upload the document again.',
    });
  }
}

/** One range (RFC 9110, 14); several, or what is no range, are answered with the whole. Null: the whole. */
function rangeOf(
  context: GatewayContext,
  etag: string,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | null {
  const condition = context.req.header('if-range');
  if (condition !== undefined && condition.trim() !== etag) return null;
  const parts = /^bytes=(\d*)-(\d*)$/i.exec(context.req.header('range')?.trim() ?? '');
  const [, first = '', last = ''] = parts ?? [];
  if (first === '' && last === '') return null;
  if (first === '') {
    const suffix = Number(last);
    if (suffix === 0 || size === 0) return 'unsatisfiable';
    return { start: Math.max(0, size - suffix), end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return null;
  return start >= size ? 'unsatisfiable' : { start, end };
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}
