import { StageFailure } from '@vortex/contracts';
import {
  type DocumentMediaType,
  documentMediaTypes,
  mediaTypes,
  readFormats,
} from '../document-media-types.ts';
import { assertWithin, corrupt, nestedTooDeep, type ParsedText, type ParseRequest } from './parsed-text.ts';
import { readCsv } from './read-csv.ts';
import { readDocx } from './read-docx.ts';
import { readEpub } from './read-epub.ts';
import { readHtml } from './read-html.ts';
import { readJson, readJsonLines } from './read-json.ts';
import { readOdt, readPagedOpenDocument } from './read-open-document.ts';
import { readPdf } from './read-pdf.ts';
import { readPptx } from './read-pptx.ts';
import { readRtf } from './read-rtf.ts';
import { readMarkdown, readPlainText, readSource } from './read-text.ts';
import { readXlsx } from './read-xlsx.ts';

const parsers: Record<DocumentMediaType, (request: ParseRequest) => Promise<ParsedText>> = {
  'text/plain': readPlainText,
  'text/markdown': readMarkdown,
  'text/html': readHtml,
  'text/csv': (request) => readCsv(request),
  'text/tab-separated-values': (request) => readCsv(request, '\t'),
  'text/x-source': readSource,
  'application/json': readJson,
  'application/x-ndjson': readJsonLines,
  'application/pdf': readPdf,
  'application/rtf': readRtf,
  'application/epub+zip': readEpub,
  [mediaTypes.docx]: readDocx,
  [mediaTypes.pptx]: readPptx,
  [mediaTypes.xlsx]: readXlsx,
  [mediaTypes.odt]: readOdt,
  [mediaTypes.odp]: readPagedOpenDocument,
  [mediaTypes.ods]: readPagedOpenDocument,
};

/**
 * The text of a file of any format that is read. Heavy, and as safe as its limits: services run it in a process
 * whose memory and time are watched from outside.
 *
 * @throws StageFailure `empty_document`, `no_text_layer`, `encrypted_pdf`, `encrypted_document`, `corrupt_file`,
 * `unsupported_type`, `parse_limits_exceeded`
 */
export async function parseDocument(request: ParseRequest & { mediaType: string }): Promise<ParsedText> {
  const parse = isRead(request.mediaType) ? parsers[request.mediaType] : undefined;
  if (parse === undefined) {
    throw new StageFailure(
      'unsupported_type',
      `files of type ${request.mediaType} are not read. ${readFormats}.`,
    );
  }
  const parsed = await parse(request).catch((error: unknown) => {
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
