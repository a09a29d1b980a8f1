import { Readability } from '@mozilla/readability';
import { parseHTML } from 'linkedom';
import { decodeFile } from './decode-file.ts';
import { type HtmlText, htmlToMarkdown } from './html-to-markdown.ts';
import type { ParsedText, ParseRequest } from './parsed-text.ts';

/** Above this the page is no article, and Readability takes minutes. */
const maxArticleCharacters = 2 * 1024 * 1024;
/** An article that has less of the page's text is a guess that went wrong. */
const leastShare = 0.7;

/**
 * A page's main text. Readability takes menus, adverts and footers off; where it would take a table, a heading or
 * a third of the text with them, the page's body is kept without its menus instead.
 */
export async function readHtml(request: ParseRequest): Promise<ParsedText> {
  const html = await decodeFile(request, declaredCharset);
  const body = htmlToMarkdown(html, { skip: ['nav'] });
  const { markdown: text } = articleOf(html, body) ?? body;
  return { text, mediaType: 'text/markdown', pages: null, title: body.title ?? body.heading };
}

/** The encoding a page names in its head (HTML standard, 13.2.3.2). */
function declaredCharset(head: string): string | null {
  return /<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)/i.exec(head)?.[1] ?? null;
}

function articleOf(html: string, body: HtmlText): HtmlText | null {
  if (html.length > maxArticleCharacters || body.markdown === '') return null;
  const { document } = parseHTML(html);
  let content: string | null | undefined;
  try {
    content = new Readability(document, { keepClasses: false }).parse()?.content;
  } catch {
    // Readability is a heuristic over other people's pages; what it cannot handle is read as a whole.
    return null;
  }
  if (content === null || content === undefined) return null;
  const article = htmlToMarkdown(content);
  const levels = headingsOf(body.markdown);
  const kept = new Set(headingsOf(article.markdown).map(({ text }) => text));
  const isComplete =
    article.markdown.length >= body.markdown.length * leastShare &&
    levels.every(({ text }) => kept.has(text)) &&
    tableRows(article.markdown) === tableRows(body.markdown);
  return isComplete ? { ...article, markdown: withLevels(article.markdown, levels) } : null;
}

interface Heading {
  mark: string;
  text: string;
}

function headingsOf(markdown: string): Heading[] {
  return [...markdown.matchAll(/^(#{1,6}) (.+)$/gm)].map(([, mark = '', text = '']) => ({ mark, text }));
}

/** Readability makes every first-level heading a second-level one; sections then stand beside what they belong to. */
function withLevels(markdown: string, headings: Heading[]): string {
  const marks = new Map(headings.map(({ mark, text }) => [text, mark]));
  return markdown.replace(/^(#{1,6}) (.+)$/gm, (line, mark: string, text: string) =>
    line.replace(mark, marks.get(text) ?? mark),
  );
}

function tableRows(markdown: string): number {
  return markdown.match(/^\|.*\|$/gm)?.length ?? 0;
}
