import { firstHeading } from '../markdown-outline.ts';
import { decodeFile } from './decode-file.ts';
import type { ParsedText, ParseRequest } from './parsed-text.ts';

/** Text that is taken as it is: nothing is changed but encoding and byte order mark. */
export async function readPlainText(request: ParseRequest): Promise<ParsedText> {
  return { text: await decodeFile(request), mediaType: 'text/plain', pages: null, title: null };
}

export async function readMarkdown(request: ParseRequest): Promise<ParsedText> {
  const text = await decodeFile(request);
  return { text, mediaType: 'text/markdown', pages: null, title: firstHeading(text) };
}

/** Programs: cut at lines, never inside one that fits. */
export async function readSource(request: ParseRequest): Promise<ParsedText> {
  return { text: await decodeFile(request), mediaType: 'text/x-source', pages: null, title: null };
}
