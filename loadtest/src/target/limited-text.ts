import type { Dispatcher } from 'undici';

/** A body as text. @throws when it is longer than it may be: what is measured must not fill this process. */
export async function limitedText(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    const chunk: Uint8Array = piece;
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`a body of more than ${maxBytes} bytes`);
    pieces.push(chunk);
  }
  return Buffer.concat(pieces).toString('utf8');
}
