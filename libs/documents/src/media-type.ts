import type { TextMediaType } from './outline.ts';

const markdownName = /\.(?:md|markdown|mdown|mkd|mdx)$/i;
const plainName = /\.(?:txt|text|log|csv|tsv|json|jsonl|ya?ml|xml|ini|conf)$/i;
const markdownPattern = /^(?:#{1,6} \S|(?:`{3,}|~{3,})[\w-]*[ \t]*$|\|? *:?-{3,}:? *\|)/m;

/**
 * Whether a text is chunked by Markdown's structure. What the caller says holds, then the name's ending,
 * then the text's beginning (an ATX heading, a fence or a table's rule). A wrong guess harms nothing: the
 * text is stored and cited as it is either way, only the places where it is cut differ.
 */
export function mediaTypeOf(document: {
  mediaType?: TextMediaType;
  names: string[];
  text: string;
}): TextMediaType {
  if (document.mediaType !== undefined) return document.mediaType;
  for (const name of document.names) {
    if (markdownName.test(name)) return 'text/markdown';
    if (plainName.test(name)) return 'text/plain';
  }
  return looksLikeMarkdown(document.text) ? 'text/markdown' : 'text/plain';
}

export function looksLikeMarkdown(text: string): boolean {
  return markdownPattern.test(text.slice(0, 65_536));
}
