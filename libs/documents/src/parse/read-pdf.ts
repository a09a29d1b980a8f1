import { readFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { StageFailure } from '@vortex/contracts';
import { getDocumentProxy } from 'unpdf';
import { PageWriter } from './page-writer.ts';
import { assertWithin, corrupt, type ParsedText, type ParseRequest } from './parsed-text.ts';
import { type PdfItem, textOfPage } from './pdf-lines.ts';
import { plainLetters, withWholeLigatures } from './pdf-right-to-left.ts';

/** What may stand behind the end mark: transports append a little, a cut-off file has no mark there at all. */
const tailBytes = 4096;
/** A page with no more than this is a picture with a stamp on it. */
const stampCharacters = 16;

/**
 * PDF by pdf.js (unpdf's build: no DOM, no canvas, scripts of the document are never run). Pages keep their number
 * also when they are empty. Pictures are never decoded: whether a page without text is a scan is told by the file
 * having pictures.
 */
export async function readPdf(request: ParseRequest): Promise<ParsedText> {
  return withStraysHeard(() => readPages(request));
}

async function readPages(request: ParseRequest): Promise<ParsedText> {
  const bytes = await readFile(request.file);
  if (!bytes.subarray(-tailBytes).includes('%%EOF'))
    throw corrupt('The PDF ends in the middle (its end mark is missing): it was cut off');
  const source = bytes.toString('latin1');
  const hasPictures = /\/Subtype\s*\/Image/.test(source);
  assertWithin(request.limits, 'maxPages', countPages(source, request.limits.maxPages));
  const pdf = await openPdf(bytes);
  try {
    assertWithin(request.limits, 'maxPages', pdf.numPages);
    const writer = new PageWriter(request.limits);
    let fullest = 0;
    for (let number = 1; number <= pdf.numPages; number += 1) {
      const text = await pageText(pdf, number);
      fullest = Math.max(fullest, text.replace(/\s+/g, '').length);
      writer.add(text);
      request.onProgress(number, pdf.numPages, 'pages');
    }
    const { text, pages } = writer.finish();
    if (hasPictures && fullest <= (pages.length === 1 ? 4 : stampCharacters)) {
      throw new StageFailure(
        'no_text_layer',
        'the PDF has pictures of pages, but no text behind them. Run it through text recognition (OCR) and upload the result.',
      );
    }
    return { text, mediaType: 'text/plain', pages, title: await titleOf(pdf) };
  } finally {
    await pdf.destroy();
  }
}

/**
 * pdf.js reads ahead: of a damaged entry it rejects the promise that is waited for, and a second one that nobody has.
 * Unheard, that one ended the reading process; a PDF of a kilobyte did so on each of its five tries.
 */
async function withStraysHeard<R>(read: () => Promise<R>): Promise<R> {
  const hear = () => undefined;
  process.on('unhandledRejection', hear);
  try {
    return await read();
  } finally {
    // Node looks for unheard ones when the turn in which they came is over.
    await turn();
    process.off('unhandledRejection', hear);
  }
}

/**
 * Pages that the file has, whatever it says: 100,000 pages under a `/Count` of 5 took eight seconds and came to
 * nothing. Only what is not packed in object streams is seen, and no more is counted than decides.
 */
function countPages(source: string, enough: number): number {
  let pages = 0;
  for (const _ of source.matchAll(/\/Type\s*\/Page(?![A-Za-z])/g)) {
    pages += 1;
    if (pages > enough) break;
  }
  return pages;
}

type Pdf = Awaited<ReturnType<typeof getDocumentProxy>>;

async function openPdf(bytes: Buffer): Promise<Pdf> {
  try {
    return await getDocumentProxy(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), {
      verbosity: 0,
      disableFontFace: true,
      useSystemFonts: false,
      isEvalSupported: false,
      useWasm: false,
    });
  } catch (error) {
    if (error instanceof Error && error.name === 'PasswordException') {
      throw new StageFailure(
        'encrypted_pdf',
        'the PDF opens only with a password. Remove the password (print it to a new PDF) and upload that.',
      );
    }
    throw corrupt('The PDF cannot be opened', error);
  }
}

async function pageText(pdf: Pdf, number: number): Promise<string> {
  try {
    const page = await pdf.getPage(number);
    const { items } = await withWholeLigatures(() => page.getTextContent({ disableNormalization: true }));
    page.cleanup();
    return plainLetters(textOfPage(items.filter((item): item is typeof item & PdfItem => 'str' in item)));
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw corrupt(`Page ${number} of the PDF cannot be read`, error);
  }
}

async function titleOf(pdf: Pdf): Promise<string | null> {
  const info = (await pdf.getMetadata().catch(() => null))?.info as { Title?: unknown } | undefined;
  const title = typeof info?.Title === 'string' ? info.Title.trim() : '';
  // What a printer driver writes is the name of a file on somebody's desktop.
  const isName = /^(?:untitled|microsoft \w+ - .*|.*\.(?:docx?|pptx?|xlsx?|odt|tex|dvi|indd|qxd))$/i.test(
    title,
  );
  return title === '' || isName ? null : title.toWellFormed();
}
