import { StageFailure } from '@vortex/contracts';
import {
  type DocumentMediaType,
  documentMediaTypes,
  mediaTypes,
  readFormats,
} from '../document-media-types.ts';
import { assertWithin, corrupt, nestedTooDeep, type ParsedText, type ParseRequest } from './parsed-text.ts';
import { readMarkdown, readPlainText, readSource } from './read-text.ts';
import { visibleDocument } from './visible-document.ts';

type Parser = (request: ParseRequest) => Promise<ParsedText>;

/**
 * Loaded when the first file of a format comes: all libraries together take most of a second and 60 MB, and a process
 * that reads text needs none.
 */
const parsers: Record<DocumentMediaType, () => Promise<Parser>> = {
  'text/plain': async () => readPlainText,
  'text/markdown': async () => readMarkdown,
  'text/html': async () => (await import('./read-html.ts')).readHtml,
  'text/csv': async () => (await import('./read-csv.ts')).readCsv,
  'text/tab-separated-values': async () => (await import('./read-csv.ts')).readTsv,
  'text/x-source': async () => readSource,
  'application/json': async () => (await import('./read-json.ts')).readJson,
  'application/x-ndjson': async () => (await import('./read-json.ts')).readJsonLines,
  'application/pdf': async () => (await import('./read-pdf.ts')).readPdf,
  'application/rtf': async () => (await import('./read-rtf.ts')).readRtf,
  'application/epub+zip': async () => (await import('./read-epub.ts')).readEpub,
  [mediaTypes.docx]: async () => (await import('./read-docx.ts')).readDocx,
  [mediaTypes.pptx]: async () => (await import('./read-pptx.ts')).readPptx,
  [mediaTypes.xlsx]: async () => (await import('./read-xlsx.ts')).readXlsx,
  [mediaTypes.odt]: async () => (await import('./read-open-document.ts')).readOdt,
  [mediaTypes.odp]: async () => (await import('./read-open-document.ts')).readPagedOpenDocument,
  [mediaTypes.ods]: async () => (await import('./read-open-document.ts')).readPagedOpenDocument,
};

/**
 * The text of a file of any format that is read, without what nobody would see of it. Heavy, and as safe as its limits: services run it in a process
 * whose memory and time are watched from outside.
 *
 * @throws StageFailure `empty_document`, `no_text_layer`, `encrypted_pdf`, `encrypted_document`, `corrupt_file`,
 * `unsupported_type`, `parse_limits_exceeded`
 */
export async function parseDocument(request: ParseRequest & { mediaType: string }): Promise<ParsedText> {
  if (!isRead(request.mediaType)) {
    throw new StageFailure(
      'unsupported_type',
      `files of type ${request.mediaType} are not read. ${readFormats}.`,
    );
  }
  const parse = await parsers[request.mediaType]();
  const parsed = await parse(request).then(visibleDocument, (error: unknown) => {
    throw asFailure(error);
  });
  assertWithin(request.limits, 'maxTextCharacters', parsed.text.length);
  if (!/\S/.test(parsed.text)) {
    throw new StageFailure(
      'empty_document',
      'the document has no text. If it should have, look whether its text is in pictures, or upload it in another format.',
    );
  }
  return parsed;
}

function isRead(mediaType: string): mediaType is DocumentMediaType {
  return (documentMediaTypes as readonly string[]).includes(mediaType);
}

/** Libraries end hostile nesting with a full stack, and hostile size with a string that cannot be; errors of the file system stay. */
function asFailure(error: unknown): unknown {
  if (error instanceof StageFailure) return error;
  if (error instanceof RangeError && /call stack/.test(error.message))
    return nestedTooDeep('parts of the document');
  if (error instanceof RangeError && /string length|array buffer|array length/i.test(error.message)) {
    return new StageFailure(
      'parse_limits_exceeded',
      'the document’s text is larger than a string can be (ingest.max_text_characters). Split it.',
    );
  }
  if (error instanceof Error && 'syscall' in error) return error;
  return corrupt('The file cannot be read', error);
}
