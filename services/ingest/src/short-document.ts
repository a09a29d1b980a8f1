import type { DocumentJobPayload } from '@vortex/contracts';

/** Most of an inbox, a ticket system or a wiki is smaller; the pieces of so much text are a few hundred kilobytes at most. */
export const usualShortBytes = 32 * 1024;

/** Types whose text is about as long as the file: nothing is unpacked. */
const plainTypes = /^text\/|^application\/(?:json|x-ndjson)$/;

/** Whether a document is read in memory, without a folder in the spool. The same on every try: it goes by the original. */
export function isShort(
  { media_type: mediaType, bytes }: DocumentJobPayload,
  { shortBytes }: { shortBytes: number },
): boolean {
  return bytes <= shortBytes && plainTypes.test(mediaType);
}
