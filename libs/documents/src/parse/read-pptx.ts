import { type Archive, withArchive } from './archive.ts';
import { inLine, markdownOfRows } from './markdown-table.ts';
import { PageWriter } from './page-writer.ts';
import { assertWithin, type ParsedText, type ParseRequest } from './parsed-text.ts';
import { coreTitle, readXmlEvents, relationsOf } from './xml-events.ts';

const presentationPattern = /^ppt\/presentation\d*\.xml$/;

/** PPTX: a slide is a page; its title placeholder a heading, then text, tables, diagrams, and the speaker's notes. */
export async function readPptx(request: ParseRequest): Promise<ParsedText> {
  return withArchive(request, async (archive) => {
    const presentation =
      archive.names.find((name) => presentationPattern.test(name)) ?? 'ppt/presentation.xml';
    const relations = await relationsOf(archive, presentation);
    const slides: string[] = [];
    readXmlEvents(await archive.readXml(presentation), {
      open(name, attributes) {
        const part = name === 'p:sldId' ? relations.get(attributes['r:id'] ?? '')?.part : undefined;
        if (part !== undefined) slides.push(part);
      },
    });
    assertWithin(request.limits, 'maxPages', slides.length);
    const writer = new PageWriter(request.limits);
    let firstTitle: string | null = null;
    for (const [index, slide] of slides.entries()) {
      const { title, blocks } = await readSlide(archive, slide);
      firstTitle ??= title;
      writer.add([...(title === null ? [] : [`# ${title}`]), ...blocks].join('\n\n'));
      request.onProgress(index + 1, slides.length, 'pages');
    }
    return {
      ...writer.finish(),
      mediaType: 'text/markdown',
      title: (await coreTitle(archive)) ?? firstTitle,
    };
  });
}

async function readSlide(
  archive: Archive,
  slide: string,
): Promise<{ title: string | null; blocks: string[] }> {
  const { title, blocks } = slideText(await archive.readXml(slide));
  for (const { type, part } of (await relationsOf(archive, slide)).values()) {
    if (!archive.has(part)) continue;
    if (type === 'diagramData') blocks.push(...slideText(await archive.readXml(part)).blocks);
    if (type === 'notesSlide') {
      const notes = slideText(await archive.readXml(part));
      blocks.push(...[notes.title ?? '', ...notes.blocks].filter((block) => block !== ''));
    }
  }
  return { title, blocks };
}

/** Placeholders that hold no content: page numbers, dates, footers, the picture of the slide on its notes. */
const furniture = new Set(['sldNum', 'dt', 'ftr', 'hdr', 'sldImg']);

function slideText(xml: string): { title: string | null; blocks: string[] } {
  const blocks: string[] = [];
  let title: string | null = null;
  let placeholder = '';
  let paragraphs: string[] = [];
  let text = '';
  let level = 0;
  let isText = false;
  let rows: string[][] | null = null;

  function endShape(): void {
    const lines = paragraphs.filter((line) => line.trim() !== '');
    paragraphs = [];
    const kind = placeholder;
    placeholder = '';
    if (lines.length === 0 || furniture.has(kind)) return;
    if ((kind === 'title' || kind === 'ctrTitle') && title === null) {
      title = inLine(lines.map((line) => line.trim()).join(' '));
    } else if (kind === 'subTitle' || lines.length === 1) {
      blocks.push(...lines.map((line) => line.trim()));
    } else blocks.push(lines.map((line) => line.replace(/^( *)/, '$1- ')).join('\n'));
  }

  readXmlEvents(xml, {
    open(name, attributes) {
      if (name === 'p:ph') placeholder = attributes.type ?? 'body';
      else if (name === 'a:t') isText = true;
      else if (name === 'a:br') text += '\n';
      else if (name === 'a:p') {
        text = '';
        level = 0;
      } else if (name === 'a:pPr') level = Math.min(8, Number(attributes.lvl ?? 0) || 0);
      else if (name === 'a:tbl') rows = [];
      else if (name === 'a:tr') rows?.push([]);
      else if (name === 'a:tc') paragraphs = [];
    },
    text(piece) {
      if (isText) text += piece;
    },
    close(name) {
      if (name === 'a:t') isText = false;
      else if (name === 'a:p') paragraphs.push('  '.repeat(rows === null ? level : 0) + inLine(text));
      else if (name === 'a:tc') {
        rows?.at(-1)?.push(paragraphs.filter((line) => line !== '').join(' '));
        paragraphs = [];
      } else if (name === 'a:tbl') {
        if (rows?.some((row) => row.some((cell) => cell !== ''))) blocks.push(markdownOfRows(rows));
        rows = null;
        paragraphs = [];
      } else if (name === 'p:sp' || name === 'dgm:pt') endShape();
    },
  });
  endShape();
  return { title, blocks };
}
