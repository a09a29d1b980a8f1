import { StageFailure } from '@vortex/contracts';
import { withArchive } from './archive.ts';
import { decode } from './decode-file.ts';
import { htmlToMarkdown } from './html-to-markdown.ts';
import { PageWriter } from './page-writer.ts';
import { corrupt, type ParsedText, type ParseRequest } from './parsed-text.ts';
import { readXmlEvents, resolvePart, textsOf } from './xml-events.ts';

/** EPUB 2 and 3: the chapters in the order of the spine, each read as HTML. A book's pages are its reader's affair. */
export async function readEpub(request: ParseRequest): Promise<ParsedText> {
  return withArchive(request, async (archive) => {
    let packageFile: string | undefined;
    readXmlEvents(await archive.readXml('META-INF/container.xml'), {
      open(name, attributes) {
        if (name === 'rootfile') packageFile ??= attributes['full-path'];
      },
    });
    if (packageFile === undefined) throw corrupt('The book does not say where its contents are');
    const folder = packageFile.slice(0, packageFile.lastIndexOf('/') + 1);
    const { chapters, title } = spineOf(await archive.readXml(packageFile), folder);
    const locked = archive.has('META-INF/encryption.xml')
      ? await archive.readXml('META-INF/encryption.xml')
      : '';
    const writer = new PageWriter({ ...request.limits, maxPages: Number.POSITIVE_INFINITY });
    let heading: string | null = null;
    for (const [index, chapter] of chapters.entries()) {
      if (!archive.has(chapter)) throw corrupt(`The book’s chapter ${chapter} is missing`);
      if (isLocked(locked, chapter)) {
        throw new StageFailure(
          'encrypted_document',
          'the book is protected by digital rights management, so its text cannot be read. Upload a copy without protection.',
        );
      }
      const bytes = await archive.read(chapter);
      const html = withoutEntities(
        decode(bytes, (head) => /encoding=["']([\w-]+)["']/.exec(head)?.[1] ?? null),
        chapter,
      );
      const read = htmlToMarkdown(html, { skip: ['nav'] });
      heading ??= read.heading;
      if (read.markdown !== '') writer.add(read.markdown);
      request.onProgress(index + 1, chapters.length, 'entries');
    }
    return { text: writer.finish().text, mediaType: 'text/markdown', pages: null, title: title ?? heading };
  });
}

/** Chapters may have a document type (XHTML 1.1 demands one), but none that declares entities. */
function withoutEntities(html: string, chapter: string): string {
  if (!/<!ENTITY/i.test(html)) return html;
  throw new StageFailure(
    'parse_limits_exceeded',
    `the chapter ${chapter} declares XML entities, which are not expanded. Save the book anew without them.`,
  );
}

function spineOf(xml: string, folder: string): { chapters: string[]; title: string | null } {
  const files = new Map<string, string>();
  const order: string[] = [];
  readXmlEvents(xml, {
    open(name, attributes) {
      const local = name.slice(name.indexOf(':') + 1);
      const { id, href, idref } = attributes;
      if (local === 'item' && id !== undefined && href !== undefined) {
        if (/html/i.test(attributes['media-type'] ?? 'html')) files.set(id, resolvePart(folder, href));
      } else if (local === 'itemref' && idref !== undefined) order.push(idref);
    },
  });
  const chapters = order.flatMap((id) => files.get(id) ?? []);
  const [title = ''] = textsOf(xml, 'dc:title');
  return { chapters: [...new Set(chapters)], title: title.trim() === '' ? null : title.trim() };
}

/** Fonts are often scrambled, which hides no text; a scrambled chapter is named in the same list. */
function isLocked(encryption: string, chapter: string): boolean {
  let found = false;
  if (encryption === '') return false;
  readXmlEvents(encryption, {
    open(name, attributes) {
      if (name.endsWith('CipherReference') && resolvePart('', attributes.URI ?? '') === chapter) found = true;
    },
  });
  return found;
}
