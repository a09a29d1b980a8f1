import { zipSync } from 'fflate';
import mammoth from 'mammoth';
import { withArchive } from './archive.ts';
import { htmlToMarkdown } from './html-to-markdown.ts';
import { corrupt, type ParsedText, type ParseRequest } from './parsed-text.ts';
import { coreTitle, readXmlEvents } from './xml-events.ts';

const styleMap = ["p[style-name='Title'] => h1:fresh", "p[style-name='Subtitle'] => p:fresh"];

/** A run with no other in it (of a text box) that Word does not show; mammoth does not know of hiding. */
const hiddenRun =
  /<w:r(?:\s[^>]*)?>\s*<w:rPr>(?:(?!<\/w:rPr>)[\s\S])*?<w:vanish(?:\s+w:val="(?:1|true|on)")?\s*\/>(?:(?!<w:r[\s>]|<\/w:r>)[\s\S])*<\/w:r>/g;

function withoutHiddenRuns(xml: string): string {
  return xml.includes('<w:vanish') ? xml.replace(hiddenRun, '') : xml;
}

/**
 * DOCX by mammoth (styles to headings, lists, tables, notes), then as HTML. Mammoth gets a copy of the archive that
 * holds the checked text parts only: its own unzipper counts nothing, and pictures would come back as base64. Page
 * headers and footers, comments and hidden text are left out.
 */
export async function readDocx(request: ParseRequest): Promise<ParsedText> {
  return withArchive(request, async (archive) => {
    const parts: Record<string, Uint8Array> = {};
    for (const name of archive.names) {
      if (!/^(?:\[Content_Types\]\.xml|_rels\/.*|word\/(?:_rels\/.*|[^/]+\.xml))$/.test(name)) continue;
      if (name.endsWith('/')) continue;
      const xml = await archive.readXml(name);
      // Mammoth's parser has no limit: a few kilobytes of half a million opened paragraphs kept it for minutes.
      readXmlEvents(xml, {});
      parts[name] = Buffer.from(withoutHiddenRuns(xml));
    }
    const title = await coreTitle(archive);
    const buffer = Buffer.from(zipSync(parts, { level: 0 }));
    const { value } = await mammoth
      .convertToHtml(
        { buffer },
        {
          styleMap,
          convertImage: mammoth.images.imgElement(async () => ({ src: '' })),
          externalFileAccess: false,
        },
      )
      .catch((error: unknown) => {
        if (error instanceof RangeError) throw error;
        throw corrupt('The document’s text cannot be read', error);
      });
    const { markdown, heading } = htmlToMarkdown(value);
    return { text: markdown, mediaType: 'text/markdown', pages: null, title: title ?? heading };
  });
}
