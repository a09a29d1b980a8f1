import type { ChunkOptions, ChunkSource } from './chunk-options.ts';
import type { Section, Segment } from './outline.ts';
import type { Span } from './text-cuts.ts';

/** Characters a chunk may have per token of its limit: a word of any length can be a single token to a tokenizer. */
const charactersPerToken = 16;
/** The context may take this part of the limit; what is above is cut, outermost heading first. */
const contextShare = 0.25;
const separator = ' › ';

/** Where a chunk begins: its first atom. */
interface ChunkStart {
  span: Span;
  segment: Segment;
}

/** What stands in front of a chunk: "Title › A › B", and the header row when it starts inside a table. */
export class ContextWriter {
  readonly maxCharacters: number;
  readonly #source: ChunkSource;
  readonly #options: ChunkOptions;
  readonly #maxTokens: number;
  readonly #maxContextTokens: number;
  readonly #counts = new Map<string, number>();

  constructor(source: ChunkSource, options: ChunkOptions) {
    if (!(options.maxTokens >= 16))
      throw new RangeError(`maxTokens is ${options.maxTokens}; at least 16 are needed`);
    this.#source = source;
    this.#options = options;
    this.#maxTokens = options.maxTokens - (options.specialTokens ?? 2);
    this.#maxContextTokens = Math.floor(options.maxTokens * contextShare);
    this.maxCharacters = options.maxTokens * charactersPerToken;
  }

  /** Headings that stand in the chunk itself are not repeated in front of it. */
  of(section: Section, first: ChunkStart): string {
    const headings = section.path.filter((_, index) => (section.starts[index] ?? 0) < first.span[0]);
    const path = [this.#source.title, ...headings].filter(
      (part, index, all) => part !== '' && part !== all[index - 1],
    );
    const header = first.segment.tableHeader;
    // Rows are cut from one table only, so its header is asked for again and again: `#fit` remembers counts.
    const row =
      header === null ? '' : this.#source.text.slice(header.start, Math.min(header.end, header.start + 1000));
    return this.#fit(path, row);
  }

  textLimit(context: string): number {
    return this.#maxTokens - this.tokensOf(context);
  }

  smallestTextLimit(segment: Segment): number {
    const nowhere: ChunkStart = { span: [Number.POSITIVE_INFINITY, 0], segment };
    return this.textLimit(this.of(segment.section, nowhere));
  }

  tokensOf(context: string): number {
    if (context === '') return 0;
    let tokens = this.#counts.get(context);
    if (tokens === undefined) {
      tokens = this.#options.countTokens(context);
      if (this.#counts.size > 10_000) this.#counts.clear();
      this.#counts.set(context, tokens);
    }
    return tokens;
  }

  #fit(path: string[], row: string): string {
    const wellFormedRow = row.toWellFormed();
    for (let from = 0; from <= path.length; from += 1) {
      const head = path.slice(from).join(separator);
      for (const context of wellFormedRow === '' ? [head] : [`${head}\n${wellFormedRow}`.trim(), head]) {
        if (context.length <= this.maxCharacters && this.tokensOf(context) <= this.#maxContextTokens)
          return context;
      }
    }
    return '';
  }
}
