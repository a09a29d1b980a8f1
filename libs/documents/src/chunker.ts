import { atomsOf } from './atoms.ts';
import { ContextWriter } from './chunk-context.ts';
import type { ChunkOptions, ChunkSource, Piece } from './chunk-options.ts';
import { ChunkPacker } from './chunk-packer.ts';
import { markdownOutline } from './markdown-outline.ts';
import { pagedSegments } from './paged-segments.ts';
import { type Cut, noOutline, plainOutline, sourceOutline } from './plain-outline.ts';

/**
 * Cuts a document into chunks:
 *
 *   outline (segments) ──► atoms ──► packed into chunks ──► counted once more, shrunk if over
 *
 * An atom is what is only cut in need: a heading, a sentence, a table row, a line of code; one that is too
 * long is cut at white space, words, characters. Atoms of one item (list item, paragraph) and items of one
 * group (list, table, code block) stay together where that leaves no half-empty chunk. When less than half a chunk
 * would be left of a section, the last two share what there is. A chunk never
 * reaches into the next heading's section, except that headings without a body of their own go to the
 * first section below them.
 *
 * For every piece `text === source.text.slice(...source_span)`, spans begin and end with something other
 * than white space, and every such character of the document is in at least one piece. `tokens` counts the
 * text alone. No piece has text of two pages. Same input, same pieces.
 *
 * Every step of the chain above is a generator that looks ahead no further than a chunk's size, so that memory beside
 * the text itself does not grow with it.
 */
export function* chunkPieces(source: ChunkSource, options: ChunkOptions): Generator<Piece> {
  const { text } = source;
  const contexts = new ContextWriter(source, options);
  const segments = pagedSegments(outlineOf(source, options), source.pages ?? null, text.length);
  yield* new ChunkPacker(text, atomsOf(text, segments, contexts, options), contexts, options).pack();
}

/** All pieces at once, for documents that are small. */
export function chunkText(source: ChunkSource, options: ChunkOptions): Piece[] {
  return [...chunkPieces(source, options)];
}

function outlineOf(
  { text, mediaType }: ChunkSource,
  { strategy = 'structure' }: ChunkOptions,
): Generator<Cut> {
  if (strategy !== 'structure') return noOutline();
  if (mediaType === 'text/markdown') return markdownOutline(text);
  return mediaType === 'text/x-source' ? sourceOutline(text) : plainOutline(text);
}
