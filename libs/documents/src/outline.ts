/**
 * What the chunker knows about a text's structure: where it may be cut, and under which headings a place
 * stands. An outline is a list of cut positions, not of nodes: segment i reaches from its own start to the
 * next one's, so the segments cover the text without a gap whatever a parser makes of it.
 */
export interface Segment {
  /** UTF-16 offset; the segment ends where the next one starts. */
  start: number;
  kind: SegmentKind;
  /** Segments of one paragraph, list, table or code block share a number and stay together if they fit. */
  group: number;
  section: Section;
  /** Counts from 1; a piece holds text of one page only. Null where the document has none. */
  page: number | null;
  /** Offsets of the header row, for rows below it. */
  tableHeader: { start: number; end: number } | null;
}

/** `prose` and `item` may be cut between sentences; the others are one row, line or heading each. */
export type SegmentKind = 'heading' | 'prose' | 'item' | 'row' | 'line';

export interface Section {
  /** Headings from the outermost to the innermost, as plain text. */
  path: readonly string[];
  /** Where each heading of `path` starts. */
  starts: readonly number[];
}

export const rootSection: Section = { path: [], starts: [] };

export type TextMediaType = 'text/plain' | 'text/markdown' | 'text/x-source';
