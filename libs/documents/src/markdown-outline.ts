import { headingText, type MarkdownBlock, parseBlocks } from './markdown-blocks.ts';
import { type MarkdownWindow, markdownWindows, nextLine } from './markdown-windows.ts';
import { rootSection, type Section, type SegmentKind } from './outline.ts';
import type { Cut } from './plain-outline.ts';

/** Block quotes or lists nested deeper than this are no document: the parser recurses once per level. */
const nestingPattern = /^[ \t]*(?:(?:>|[-+*][ \t])[ \t]*){100}/m;

/** A list item and its first paragraph are one: nothing but the item's mark lies between their starts. */
const itemMarks = /^[\s>]*(?:[-+*]|\d{1,9}[.)])[\s>]*(?:\[[ xX]\]\s*)?$/;

/**
 * Markdown: headings, paragraphs, list items, table rows, lines of code. A leading byte order mark and
 * YAML front matter are taken off before the parser sees the text (it would drop the mark, and read the
 * matter's end as the underline of a heading).
 */
export function* markdownOutline(text: string): Generator<Cut> {
  const outline = new OutlineWriter(text);
  const matterStart = text.startsWith('\ufeff') ? 1 : 0;
  const matter = /^---[ \t]*\r?\n(?:[^\n]*\n){0,200}?(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/.exec(
    text.slice(matterStart, matterStart + 65_536),
  );
  let bodyStart = matterStart;
  if (matter !== null) {
    bodyStart = matterStart + matter[0].length;
    outline.addLines(matterStart, bodyStart);
  }
  for (const window of markdownWindows(text, bodyStart)) {
    if (window.kind === 'lines') yield* outline.addManyLines(window);
    else {
      const source = text.slice(window.start, window.end);
      if (nestingPattern.test(source)) outline.addLines(window.start, window.end);
      else outline.addBlocks(parseBlocks(source).children, window.start);
    }
    yield* outline.take();
  }
  yield* outline.takeAll();
}

/** The first heading near the beginning of a Markdown text, as plain text; null when there is none. */
export function firstHeading(text: string): string | null {
  for (const segment of markdownOutline(text.slice(0, 16 * 1024))) {
    if (segment.kind === 'heading') return segment.section.path.at(-1) ?? null;
  }
  return null;
}

interface Place {
  base: number;
  /** Inside a list or a quote headings open no section. */
  depth: number;
  group: number;
}

/** Holds the segments of one window; the last one stays until it is known where the next begins. */
class OutlineWriter {
  #segments: Cut[];
  readonly #text: string;
  #section: Section = rootSection;
  #sectionDepths: number[] = [];
  #groups = 0;

  constructor(text: string) {
    this.#text = text;
    this.#segments = [{ start: 0, kind: 'prose', group: 0, section: rootSection, tableHeader: null }];
  }

  addLines(start: number, end: number, group = this.#newGroup()): void {
    for (let position = start; position < end; position = nextLine(this.#text, position)) {
      this.#cut(position, 'line', group);
    }
  }

  /** A window of any size: a program of 50 MB in a fence. */
  *addManyLines({ start, end, tableHeader }: MarkdownWindow): Generator<Cut> {
    const group = this.#newGroup();
    for (let position = start; position < end; position = nextLine(this.#text, position)) {
      this.#cut(position, tableHeader === null ? 'line' : 'row', group, tableHeader);
      if (this.#segments.length > 1000) yield* this.take();
    }
  }

  *take(): Generator<Cut> {
    const taken = this.#segments.slice(0, -1);
    this.#segments = this.#segments.slice(-1);
    yield* taken;
  }

  takeAll(): Cut[] {
    return this.#segments;
  }

  addBlocks(blocks: readonly MarkdownBlock[], base: number): void {
    for (const block of blocks) this.#addBlock(block, { base, depth: 0, group: this.#newGroup() });
  }

  #addBlock(block: MarkdownBlock, place: Place): void {
    const start = place.base + (block.position?.start.offset ?? 0);
    const end = place.base + (block.position?.end.offset ?? 0);
    switch (block.type) {
      case 'heading':
        if (place.depth === 0) this.#openSection(block, start);
        this.#cut(start, place.depth === 0 ? 'heading' : 'prose', place.group);
        break;
      case 'list':
        for (const item of block.children) {
          this.#cut(place.base + (item.position?.start.offset ?? 0), 'item', place.group);
          for (const child of item.children) this.#addBlock(child, { ...place, depth: place.depth + 1 });
        }
        break;
      case 'blockquote':
      case 'footnoteDefinition':
        this.#cut(start, 'prose', place.group);
        for (const child of block.children) this.#addBlock(child, { ...place, depth: place.depth + 1 });
        break;
      case 'table':
        this.#addTable(block.children, place);
        break;
      case 'code':
      case 'html':
        this.addLines(start, end, place.group);
        break;
      default:
        this.#cut(start, 'prose', place.group);
    }
  }

  #addTable(rows: readonly { position?: MarkdownBlock['position'] }[], place: Place): void {
    const [first, ...others] = rows;
    if (first === undefined) return;
    const header = {
      start: place.base + (first.position?.start.offset ?? 0),
      end: place.base + (first.position?.end.offset ?? 0),
    };
    this.#cut(header.start, 'row', place.group);
    for (const row of others) {
      this.#cut(place.base + (row.position?.start.offset ?? 0), 'row', place.group, header);
    }
  }

  #openSection(block: MarkdownBlock & { type: 'heading' }, start: number): void {
    const kept = this.#sectionDepths.findIndex((depth) => depth >= block.depth);
    const outer = kept === -1 ? this.#sectionDepths.length : kept;
    const heading = headingText(
      block.children.map((child) => ('value' in child ? child.value : '')).join(''),
    );
    if (heading === '') return;
    this.#sectionDepths = [...this.#sectionDepths.slice(0, outer), block.depth];
    this.#section = {
      path: [...this.#section.path.slice(0, outer), heading],
      starts: [...this.#section.starts.slice(0, outer), start],
    };
  }

  #cut(position: number, kind: SegmentKind, group: number, tableHeader: Cut['tableHeader'] = null): void {
    const last = this.#segments.at(-1);
    if (last === undefined || position < last.start) return;
    const start = Math.max(this.#lineStart(position), last.start);
    const segment = { start, kind, group, section: this.#section, tableHeader };
    const between = this.#text.slice(last.start, start);
    if (between.length < 64 && between.trim() === '') {
      this.#segments[this.#segments.length - 1] = { ...segment, start: last.start };
    } else if (!(last.kind === 'item' && between.length < 64 && itemMarks.test(between))) {
      this.#segments.push(segment);
    }
  }

  /** The marks in front of a block (`> `, indentation) belong to it, not to the line before. */
  #lineStart(position: number): number {
    let start = position;
    while (start > 0 && /[ \t>]/.test(this.#text[start - 1] ?? '')) start -= 1;
    return start === 0 || /[\r\n]/.test(this.#text[start - 1] ?? '') ? start : position;
  }

  #newGroup(): number {
    this.#groups += 1;
    return this.#groups;
  }
}
