import { documentJobPayload } from '@vortex/contracts';
import { expect, it } from 'vitest';
import { isShort } from './short-document.ts';

const payload = (mediaType: string, bytes: number) =>
  documentJobPayload.parse({
    ...{ collection: 'default', external_id: 'a', filename: 'a', title: null, metadata: {} },
    ...{ media_type: mediaType, content_hash: 'f'.repeat(64), bytes },
    ...{ chunk_size: 256, chunk_overlap: 32, chunking_strategy: 'structure' },
  });

it.each([
  ['text/plain', 100, true],
  ['text/plain', 101, false],
  ['text/html', 100, true],
  ['application/x-ndjson', 100, true],
  // What is unpacked may be a thousand times as long as its file.
  ['application/epub+zip', 1, false],
  ['application/pdf', 1, false],
  ['application/rtf', 1, false],
])('%s of %i bytes: %s', (mediaType, bytes, short) => {
  expect(isShort(payload(mediaType, bytes), { shortBytes: 100 })).toBe(short);
});
