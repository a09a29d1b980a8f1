import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { UploadFields } from '@vortex/contracts';

/** A multipart body (RFC 7578) of some fields and one file, read from disk while it is sent. */
export interface MultipartUpload {
  headers: { 'content-type': string; 'content-length': string };
  body: Readable;
  /** What went wrong with the file, not with the connection: a stream fails with either. Null: nothing. */
  readError(): unknown;
}

/**
 * The fields stand before the file, so that the server knows where it belongs before its first byte. The
 * length is said in advance: a file that is too large can be refused early.
 * `onSent` hears how many bytes of the file have been handed to the connection.
 * @throws what opening the file throws (ENOENT, EACCES, EISDIR when it is read)
 */
export async function multipartUpload(options: {
  path: string;
  filename: string;
  fields: UploadFields;
  onSent?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}): Promise<MultipartUpload> {
  const { path, filename, fields, onSent } = options;
  const boundary = `vortex-${randomUUID()}`;
  const file = await open(path);
  let fileBytes: number;
  try {
    fileBytes = (await file.stat()).size;
  } catch (error) {
    await file.close();
    throw error;
  }
  const head = Buffer.from(
    [
      ...Object.entries(fields).flatMap(([name, value]) =>
        value === undefined
          ? []
          : [
              `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${
                typeof value === 'object' ? JSON.stringify(value) : String(value)
              }\r\n`,
            ],
      ),
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${escaped(filename)}"\r\n`,
      'content-type: application/octet-stream\r\n\r\n',
    ].join(''),
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);

  let readError: unknown = null;
  async function* pieces(): AsyncGenerator<Buffer> {
    yield head;
    let sent = 0;
    // A file that grows meanwhile is sent as long as it was; one that shrinks breaks the promised length.
    while (sent < fileBytes) {
      const wanted = Math.min(pieceBytes, fileBytes - sent);
      const { bytesRead, buffer } = await file
        .read(Buffer.allocUnsafe(wanted), 0, wanted)
        .then((read) => {
          if (read.bytesRead === 0) throw new FileShrank(path);
          return read;
        })
        .catch((error: unknown) => {
          readError = error;
          throw error;
        });
      sent += bytesRead;
      yield bytesRead === wanted ? buffer : buffer.subarray(0, bytesRead);
      onSent?.(sent, fileBytes);
    }
    yield tail;
  }

  const body = Readable.from(pieces(), { objectMode: false, highWaterMark: pieceBytes });
  // Not in the generator's `finally`: that of one that was never begun does not run.
  body.once('close', () => void file.close());
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.byteLength + fileBytes + tail.byteLength),
    },
    body,
    readError: () => readError,
  };
}

const pieceBytes = 256 * 1024;

export class FileShrank extends Error {
  constructor(path: string) {
    super(`${path} became shorter while it was read`);
    this.name = 'FileShrank';
  }
}

/** As browsers write it: UTF-8, with what would end the quotes or the line percent-encoded. */
function escaped(filename: string): string {
  return filename.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}
