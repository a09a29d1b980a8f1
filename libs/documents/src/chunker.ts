import { type Atom, atomsOf } from './atoms.ts';
import { ContextWriter } from './chunk-context.ts';
import type { ChunkOptions, ChunkSource, Piece } from './chunk-options.ts';
import { markdownOutline } from './markdown-outline.ts';
import { plainOutline } from './plain-outline.ts';
import { cutToSize, type SizedSpan, type Span } from './text-cuts.ts';

/**
 * Cuts a document into chunks:
 *
 *   outline (segments) ──► atoms ──► packed into chunks ──► counted once more, shrunk if over
 *
 * An atom is what is only cut in need: a heading, a sentence, a table row, a line of code; one that is too
 * long is cut at white space, words, characters. Atoms of one item (list item, paragraph) and items of one
 * group (list, table, code block) stay together where that leaves no half-empty chunk. A chunk never
 * reaches into the next heading's section, except that headings without a body of their own go to the
 * first section below them.
 *
 * For every piece `text === source.text.slice(...source_span)`, spans begin and end with something other
 * than white space, and every such character of the document is in at least one piece. `tokens` counts the
 * text alone. Same input, same pieces.
 */
export function chunkText(source: ChunkSource, options: ChunkOptions): Piece[] {
  const { text } = source;
  const segments = source.mediaType === 'text/markdown' ? markdownOutline(text) : plainOutline(text);
  const contexts = new ContextWriter(source, options);
  const atoms = atomsOf(text, segments, contexts, options);
  return new Packer(text, atoms, contexts, options).pack();
}

/** Fills one chunk after the other: `[from, to)` of the atoms, of which `[from, fresh)` is overlap. */
class Packer {
  readonly #text: string;
  readonly #atoms: Atom[];
  readonly #contexts: ContextWriter;
  readonly #options: ChunkOptions;
  /** Sum of tokens before each atom. */
  readonly #before: number[] = [0];
  readonly #pieces: Piece[] = [];
  #from = 0;
  #fresh = 0;
  #to = 0;

  constructor(text: string, atoms: Atom[], contexts: ContextWriter, options: ChunkOptions) {
    this.#text = text;
    this.#atoms = atoms;
    this.#contexts = contexts;
    this.#options = options;
    for (const atom of atoms) this.#before.push((this.#before.at(-1) ?? 0) + atom.tokens);
  }

  pack(): Piece[] {
    for (let at = 0; at < this.#atoms.length; ) {
      while (this.#to > this.#fresh && !this.#continuesSection(at)) this.#close();
      const group = this.#endOf(at, (atom) => atom.segment.group);
      this.#place(at, group, 'group');
      at = group;
    }
    while (this.#to > this.#fresh) this.#close();
    return this.#pieces;
  }

  #place(start: number, end: number, unit: 'group' | 'item' | 'atom'): void {
    if (this.#to === this.#fresh) {
      const overlap = this.#overlapStart(start);
      for (let from = overlap; from <= start; from += 1) {
        if (!this.#fits(from, end) && !(unit === 'atom' && from === start)) continue;
        this.#from = from;
        this.#fresh = start;
        this.#to = end;
        return;
      }
    } else if (this.#fits(this.#from, end)) {
      this.#to = end;
      return;
    } else if (unit === 'atom' || (this.#isHalfFull() && this.#fits(start, end))) {
      this.#close();
      this.#place(start, end, unit);
      return;
    }
    const smaller = unit === 'group' ? 'item' : 'atom';
    for (let at = start; at < end; ) {
      const next =
        smaller === 'item'
          ? Math.min(
              end,
              this.#endOf(at, (atom) => atom.item),
            )
          : at + 1;
      this.#place(at, next, smaller);
      at = next;
    }
  }

  #endOf(start: number, key: (atom: Atom) => number): number {
    let end = start;
    const first = this.#at(start);
    for (; end < this.#atoms.length; end += 1) {
      const atom = this.#at(end);
      if (key(atom) !== key(first) || atom.segment.section !== first.segment.section) break;
    }
    return end;
  }

  #fits(from: number, to: number): boolean {
    const first = this.#at(from);
    const last = this.#at(to - 1);
    const tokens = (this.#before[to] ?? 0) - (this.#before[from] ?? 0);
    return (
      last.span[1] - first.span[0] <= this.#contexts.maxCharacters &&
      tokens <= this.#contexts.textLimit(this.#contexts.of(last.segment.section, first))
    );
  }

  /** At least half of what a chunk may hold is new text: ending it here wastes less than tearing a unit apart. */
  #isHalfFull(): boolean {
    const tokens = (this.#before[this.#to] ?? 0) - (this.#before[this.#fresh] ?? 0);
    const first = this.#at(this.#from);
    return tokens * 2 >= this.#contexts.textLimit(this.#contexts.of(first.segment.section, first));
  }

  #continuesSection(at: number): boolean {
    const section = this.#at(at).segment.section;
    const current = this.#at(this.#to - 1).segment.section;
    if (section === current) return true;
    const onlyHeadings = this.#atoms
      .slice(this.#from, this.#to)
      .every((atom) => atom.segment.kind === 'heading');
    const below = current.starts.every((start, index) => section.starts[index] === start);
    return onlyHeadings && below && this.#fits(this.#from, at + 1);
  }

  /** Whole sentences before `start`, of the same section and of text that is neither table nor heading. */
  #overlapStart(start: number): number {
    const section = this.#atoms[start]?.segment.section;
    let from = start;
    let tokens = 0;
    while (from - 1 > this.#from) {
      const atom = this.#at(from - 1);
      tokens += atom.tokens;
      const repeatable = atom.segment.kind !== 'row' && atom.segment.kind !== 'heading';
      if (tokens > this.#options.overlapTokens || !repeatable || atom.segment.section !== section) break;
      from -= 1;
    }
    return from;
  }

  /**
   * Emits what is filled. When a chunk's own count is above the sum of its atoms', overlap and then atoms
   * are taken off it; atoms given back are the beginning of the next chunk.
   */
  #close(): void {
    const end = this.#to;
    for (;;) {
      const first = this.#at(this.#from);
      const last = this.#at(this.#to - 1);
      const span: Span = [first.span[0], last.span[1]];
      const context = this.#contexts.of(last.segment.section, first);
      const limit = this.#contexts.textLimit(context);
      const counted = first === last && first.exact;
      const tokens = counted ? first.tokens : this.#options.countTokens(this.#text.slice(...span));
      if (tokens <= limit) {
        this.#emit({ span, tokens }, context, last);
        break;
      }
      if (this.#from < this.#fresh) this.#from += 1;
      else if (this.#to - this.#fresh > 1) this.#to -= 1;
      else {
        this.#emitInParts(first, context, limit);
        break;
      }
    }
    this.#fresh = this.#to;
    for (let at = this.#to; at < end; at += 1) this.#place(at, at + 1, 'atom');
  }

  #emitInParts(atom: Atom, context: string, maxTokens: number): void {
    const { countTokens } = this.#options;
    const limits = { maxTokens, maxCharacters: this.#contexts.maxCharacters, countTokens };
    for (const cut of cutToSize(this.#text, ...atom.span, limits)) this.#emit(cut, context, atom);
  }

  #emit({ span: [start, end], tokens }: SizedSpan, context: string, last: Atom): void {
    this.#pieces.push({
      ordinal: this.#pieces.length,
      text: this.#text.slice(start, end),
      source_span: [start, end],
      page: null,
      heading_path: [...last.segment.section.path],
      context,
      // A text of marks the tokenizer drops (a lone variation selector) has none; the contract wants one.
      tokens: Math.max(tokens, 1),
    });
  }

  #at(index: number): Atom {
    const atom = this.#atoms[index];
    if (atom === undefined) throw new RangeError(`there is no atom ${index} among ${this.#atoms.length}`);
    return atom;
  }
}
