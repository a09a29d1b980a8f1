import { isDeepStrictEqual } from 'node:util';
import { StageFailure, visibleText } from '@vortex/contracts';
import {
  chunkPieces,
  documentMediaTypes,
  type ParsedText,
  type ParseLimits,
  parseDocument,
  sniffDocument,
} from '../../src/index.ts';

/** Small, so that a mutation that grows meets them. */
export const fuzzLimits: ParseLimits = {
  maxPages: 2000,
  maxTextCharacters: 4 * 1024 * 1024,
  maxExpandedBytes: 64 * 1024 * 1024,
  maxArchiveEntries: 2000,
};

/** Processor time of one reading, not time by the clock: most take some milliseconds, and whatever does not is a bait. */
export const mostProcessorMs = 20_000;

const codes = new Set<string>([
  ...['empty_document', 'no_text_layer', 'encrypted_pdf', 'encrypted_document', 'corrupt_file'],
  ...['unsupported_type', 'parse_limits_exceeded'],
]);

type Ending = { kind: 'read'; parsed: ParsedText } | { kind: 'refused'; code: string; message: string };

/** How the file ends: `read`, or the code it is refused with. @throws Error saying which law was broken. */
export async function readAndCheck(file: string, filename: string, asType: string | null): Promise<string> {
  const before = process.cpuUsage();
  const ending = await endingOf(file, filename, asType);
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  if (ms > mostProcessorMs) throw new Error(`one reading took ${Math.round(ms)} ms of processor time`);
  if (!isDeepStrictEqual(await endingOf(file, filename, asType), ending))
    throw new Error('a second reading ended otherwise');
  if (ending.kind === 'refused') return ending.code;
  assertSound(ending.parsed);
  assertPieces(ending.parsed);
  return 'read';
}

/** As the gateway and the reader do; with `asType`, its parser meets it whatever the gateway would have said. */
async function endingOf(file: string, filename: string, asType: string | null): Promise<Ending> {
  try {
    const mediaType = asType ?? (await sniffDocument({ file, filename })).mediaType;
    if (!documentMediaTypes.some((one) => one === mediaType)) throw new Error(`sniffed as ${mediaType}`);
    return {
      kind: 'read',
      parsed: await parseDocument({ file, mediaType, limits: fuzzLimits, onProgress: () => {} }),
    };
  } catch (error) {
    if (!(error instanceof StageFailure)) throw error;
    if (!codes.has(error.code)) throw new Error(`refused with ${error.code}`, { cause: error });
    if (error.message.length > 2000) throw new Error(`its message has ${error.message.length} characters`);
    if (isOurMistake(error.cause)) throw error.cause;
    return { kind: 'refused', code: error.code, message: error.message };
  }
}

/** What libraries throw at a damaged file is their way to say so; from a line of ours it is a mistake behind a code. */
function isOurMistake(cause: unknown): boolean {
  if (!(cause instanceof TypeError || cause instanceof ReferenceError)) return false;
  return /^ +at .*libs\/documents\/src/.test(cause.stack?.split('\n')[1] ?? '');
}

function assertSound({ text, title, pages, mediaType }: ParsedText): void {
  if (!/\S/.test(text)) throw new Error('a text of nothing was read');
  if (text.length > fuzzLimits.maxTextCharacters) throw new Error(`${text.length} characters were read`);
  if (!text.isWellFormed()) throw new Error('the text has half a character');
  if (visibleText(text) !== text) throw new Error('the text has what nobody sees');
  if (!['text/plain', 'text/markdown', 'text/x-source'].includes(mediaType))
    throw new Error(`cut as ${mediaType}`);
  if (title !== null && (title.trim() !== title || title === '' || !title.isWellFormed()))
    throw new Error(`the title is ${JSON.stringify(title.slice(0, 100))}`);
  let last = 0;
  for (const { start } of pages ?? []) {
    if (!(Number.isInteger(start) && start >= last && start <= text.length))
      throw new Error(`a page begins at ${start} behind one at ${last} of ${text.length}`);
    if (/^[\udc00-\udfff]/.test(text.slice(start, start + 1)))
      throw new Error('a page begins inside a character');
    last = start;
  }
}

function assertPieces({ text, title, pages, mediaType }: ParsedText): void {
  // Chunks have a test of their own for texts of any size; the long ones only repeat here.
  if (text.length > 200_000) return;
  const countTokens = (part: string) => Math.ceil(part.length / 4);
  const covered = new Uint8Array(text.length);
  let lastEnd = 0;
  for (const piece of chunkPieces(
    { text, title: title ?? '', pages, mediaType },
    { maxTokens: 128, overlapTokens: 16, strategy: 'structure', countTokens },
  )) {
    const [start, end] = piece.source_span;
    if (piece.text !== text.slice(start, end)) throw new Error(`piece ${piece.ordinal} is not its slice`);
    if (!piece.text.isWellFormed()) throw new Error(`piece ${piece.ordinal} has half a character`);
    if (end <= lastEnd) throw new Error(`piece ${piece.ordinal} does not go forward`);
    if (countTokens(piece.text) + countTokens(piece.context) > 128)
      throw new Error(`piece ${piece.ordinal} is too long`);
    const page = pages === null ? null : pages.filter((one) => one.start <= start).length;
    if (pages !== null && pages.length > 0 && piece.page !== page)
      throw new Error(`piece ${piece.ordinal} is said to be of page ${piece.page}, not ${page}`);
    covered.fill(1, start, end);
    lastEnd = end;
  }
  for (const { index } of text.matchAll(/\S/g))
    if (covered[index] === 0) throw new Error(`character ${index} is in no piece`);
}
