import { open } from 'node:fs/promises';
import { StageFailure } from '@vortex/contracts';
import { fileTypeFromBuffer } from 'file-type';
import {
  type DocumentMediaType,
  endingOf,
  isTextType,
  mediaTypeOfName,
  mediaTypes,
  readFormats,
} from './document-media-types.ts';
import { looksLikeMarkdown } from './media-type.ts';
import { decodeBytes } from './other-decoders.ts';
import { detectEncoding } from './text-encoding.ts';
import {
  type ByteSource,
  isEntryThere,
  readAt,
  readStoredEntry,
  readZipDirectory,
  type ZipDirectory,
} from './zip-directory.ts';

/**
 * What a file is, by its bytes; its name decides only between kinds of text. Reads the beginning (64 kB) and, of a
 * zip, the directory at its end: nothing is parsed or unpacked, because this runs in the gateway.
 *
 * Refused at the door: what is not read, and bytes that contradict the name. A name without a known ending
 * contradicts nothing. A locked office file is let through as what its name says: its parser says
 * `encrypted_document`, as the PDF parser says `encrypted_pdf`.
 *
 * Text is looked for before magic numbers: "BMW builds cars" begins like a bitmap, and no bitmap is text.
 *
 * @throws StageFailure `unsupported_type`, `corrupt_file`
 */
export async function sniffDocument(
  document: { filename: string | null } & ({ file: string } | { content: Buffer }),
): Promise<{ mediaType: DocumentMediaType }> {
  const { filename } = document;
  if ('content' in document) return sniff(document.content, document.content.length, filename);
  const handle = await open(document.file, 'r');
  try {
    return await sniff(handle, (await handle.stat()).size, filename);
  } finally {
    await handle.close();
  }
}

async function sniff(
  source: ByteSource,
  bytes: number,
  filename: string | null,
): Promise<{ mediaType: DocumentMediaType }> {
  const head = await readAt(source, 0, Math.min(bytes, headBytes));
  const mediaType = await mediaTypeOfBytes(source, bytes, head, filename);
  assertNameAgrees(filename, mediaType);
  return { mediaType };
}

const headBytes = 64 * 1024;
const compoundFile = Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
const encryptedPackage = Buffer.from('EncryptedPackage', 'utf16le');

async function mediaTypeOfBytes(
  handle: ByteSource,
  bytes: number,
  head: Buffer,
  filename: string | null,
): Promise<DocumentMediaType> {
  // Readers have always taken a PDF whose first line stands behind up to a kilobyte of something else.
  if (head.subarray(0, 1024).includes('%PDF-')) return mediaTypes.pdf;
  if (head.subarray(0, 16).toString('latin1').trimStart().startsWith('{\\rtf')) return mediaTypes.rtf;
  if (head.subarray(0, 4).equals(Buffer.from('PK\x03\x04'))) return zipType(handle, bytes, filename);
  if (head.subarray(0, 8).equals(compoundFile)) return compoundType(handle, head, filename);
  const encoding = detectEncoding(head);
  if (encoding !== null || bytes === 0) return textType(head, encoding ?? 'utf-8', filename);

  const expected = mediaTypeOfName(filename);
  const known = await fileTypeFromBuffer(head).catch(() => undefined);
  const what = known === undefined ? 'no text and of no type known here' : `of type ${known.mime}`;
  if (expected !== null) throw contradiction(filename, `its bytes are ${what}`);
  throw new StageFailure('unsupported_type', `${shown(filename)} is ${what}. ${readFormats}.`);
}

const openXmlParts = [
  { mediaType: mediaTypes.docx, part: /^word\/document\d*\.xml$/ },
  { mediaType: mediaTypes.pptx, part: /^ppt\/presentation\d*\.xml$/ },
  { mediaType: mediaTypes.xlsx, part: /^xl\/workbook\d*\.xml$/ },
];

async function zipType(
  handle: ByteSource,
  bytes: number,
  filename: string | null,
): Promise<DocumentMediaType> {
  const directory = await readZipDirectory(handle, bytes);
  if (directory === null) {
    throw new StageFailure(
      'corrupt_file',
      `${shown(filename)} is a zip archive whose directory is missing: it was cut off or damaged. Send it again, or save it anew.`,
    );
  }
  const found = await zipMember(handle, directory);
  if (found !== null) {
    const entry = directory.entries.get(found.part);
    if (entry !== undefined && (await isEntryThere(handle, bytes, entry))) return found.mediaType;
    throw new StageFailure(
      'corrupt_file',
      `${shown(filename)} is damaged: its part ${found.part} is not where it should be. Send it again, or save it anew.`,
    );
  }
  const expected = mediaTypeOfName(filename);
  if (expected !== null) throw contradiction(filename, 'it is a zip archive without such a document in it');
  throw new StageFailure(
    'unsupported_type',
    `${shown(filename)} is an archive of files. Unpack it and upload what is in it. ${readFormats}.`,
  );
}

async function zipMember(
  handle: ByteSource,
  { entries }: ZipDirectory,
): Promise<{ mediaType: DocumentMediaType; part: string } | null> {
  const mark = entries.get('mimetype');
  const declared = mark === undefined ? null : (await readStoredEntry(handle, mark))?.trim();
  const openDocument =
    /^application\/vnd\.oasis\.opendocument\.(text|presentation|spreadsheet)(?:-template)?$/.exec(
      declared ?? '',
    );
  if (openDocument !== null) {
    const mediaType = { text: mediaTypes.odt, presentation: mediaTypes.odp, spreadsheet: mediaTypes.ods };
    return { mediaType: mediaType[openDocument[1] as keyof typeof mediaType], part: 'content.xml' };
  }
  if (declared === mediaTypes.epub || (mark !== undefined && entries.has('META-INF/container.xml')))
    return { mediaType: mediaTypes.epub, part: 'META-INF/container.xml' };
  if (!entries.has('[Content_Types].xml')) return null;
  for (const { mediaType, part } of openXmlParts) {
    for (const name of entries.keys()) if (part.test(name)) return { mediaType, part: name };
  }
  return null;
}

/** OLE files: the old Office formats, and the new ones when they are locked by a password. */
async function compoundType(
  handle: ByteSource,
  head: Buffer,
  filename: string | null,
): Promise<DocumentMediaType> {
  const sectorBytes = head.length < 52 ? 512 : 2 ** Math.min(12, head.readUInt16LE(30));
  const start = head.length < 52 ? 0 : (head.readUInt32LE(48) + 1) * sectorBytes;
  const directory = await readAt(handle, start, start + 16 * 1024);
  const expected = mediaTypeOfName(filename);
  if (directory.includes(encryptedPackage)) {
    return expected === mediaTypes.pptx || expected === mediaTypes.xlsx ? expected : mediaTypes.docx;
  }
  if (expected !== null) throw contradiction(filename, 'its bytes are those of an old Office file');
  throw new StageFailure(
    'unsupported_type',
    `${shown(filename)} is in an old Office format (DOC, XLS, PPT, MSG …), which is not read. Save it as DOCX, XLSX, PPTX or PDF and upload that. ${readFormats}.`,
  );
}

function textType(head: Buffer, encoding: string, filename: string | null): DocumentMediaType {
  const text = decodeBytes(encoding, head);
  const ending = endingOf(filename);
  if (
    ending === 'svg' ||
    /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]{0,2000}?-->\s*)?(?:<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/.test(text)
  ) {
    throw new StageFailure('unsupported_type', `${shown(filename)} is an SVG image. ${readFormats}.`);
  }
  const expected = mediaTypeOfName(filename);
  const named = expected !== null && isTextType(expected) ? expected : null;
  if (named !== null && named !== 'text/plain') return named;
  if (
    /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]{0,2000}?-->\s*)?<(?:!doctype\s+html|html|head|body)[\s>]/i.test(
      text,
    )
  )
    return 'text/html';
  if (named !== null) return named;
  return (
    jsonType(text, head.length < headBytes) ?? (looksLikeMarkdown(text) ? 'text/markdown' : 'text/plain')
  );
}

function jsonType(text: string, isWhole: boolean): DocumentMediaType | null {
  if (!/^\s*[[{]/.test(text)) return null;
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const [first = '', second] = lines;
  if (
    second !== undefined &&
    isJson(first) &&
    (lines.length === 2 ? !isWhole || isJson(second) : isJson(second))
  )
    return 'application/x-ndjson';
  return isWhole && isJson(text) ? 'application/json' : null;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Among kinds of text a name is never wrong: any text can be read as any of them. */
function assertNameAgrees(filename: string | null, seen: DocumentMediaType): void {
  const expected = mediaTypeOfName(filename);
  if (expected === null || expected === seen) return;
  if (isTextType(expected) && isTextType(seen)) return;
  throw contradiction(filename, isTextType(seen) ? 'it holds plain text' : `its bytes are of type ${seen}`);
}

function contradiction(filename: string | null, what: string): StageFailure {
  return new StageFailure(
    'corrupt_file',
    `${shown(filename)} is not what its name says: ${what}. If only the name is wrong, rename it; else save it anew.`,
  );
}

function shown(filename: string | null): string {
  return filename === null ? 'The file' : JSON.stringify(filename.slice(-200));
}
