import { type Citation, maxExplained, type RemovedCitation, type Source } from '@vortex/contracts';

/**
 * Checks a model's citation marks while it speaks. Text goes in as the model sends it and comes out as
 * the answer, without a mark that names no passage of the prompt; what comes out is final, so it can be
 * streamed. For that the filter is always in one of three states:
 *
 *   prose    text passes through. White space is kept back until what follows it is known, because a
 *            removed mark takes the space before it along.
 *   mark?    from a `[` on everything is kept back until it is a mark (decided at its `]`), or cannot
 *            become one: another character, or longer than any mark. Then it passes as it is.
 *   code     between backticks nothing is a mark: `list[1]` is an index. Inline code ends at its
 *            backticks or the end of the line, a fence (three or more) at its like.
 *
 * Models write marks in many ways: [1], [1, 2], [1][2], [^1], [1-3], [Source 1], 【1】. All come out as
 * [1] or [1][2]. Four digits and more are years, not marks.
 */
export interface CheckedText {
  /** Final text to send on; may be empty. */
  text: string;
  /** Citations whose sentence is complete with this text. */
  citations: Citation[];
}

const number = String.raw`\^?#?\d{1,3}`;
const separator = String.raw`\s*(?:,|;|&|and|-|–)\s*`;
const word = String.raw`(?:(?:sources?|passages?|refs?|references?|docs?|documents?)[\s:#]*)?`;
const mark = new RegExp(String.raw`[[【]\s*${word}(${number}(?:${separator}${number})*)\s*[\]】]`, 'iy');
/** What a mark may look like before its `]` has come; more would have been decided already. */
const beginningOfMark = /^[[【][\s\w^#,;:&–-]{0,40}$/;
// The look-behinds keep a long run of white space from being tried at each of its characters: a model that
// falls into endless new lines would otherwise stop the process.
const special = /(?<!\s)\s*[[【]|(?<!\s)\s+$|`+/g;
/** Where a sentence may begin inside a text: after an end of sentence, or on a new line. */
const boundary = /[.!?]["')\]*]*\s+(?=["'([*]?[\p{Lu}\p{N}])|[。！？]|\n+/gu;
const maxRange = 20;
const maxHeldCharacters = 256;
/** A removed mark's space goes with it when one of these follows. */
const closesUp = /^[\s.,;:!?)\]}…、。，]/;

export class CitationFilter {
  /** Marks that named no passage. */
  invented = 0;
  /** Which those were, the first of them. */
  readonly removed: RemovedCitation[] = [];
  #answer = '';
  readonly #sources: readonly Source[];
  /** Held back: undecided beginning of a mark, backticks, or white space. */
  #held = '';
  /** White space in front of a removed mark; whether it stays depends on what follows. */
  #orphanSpace = '';
  /** The backticks that opened the code we are in. */
  #fence = '';
  /** Where the text that a next mark may close begins. */
  #claimStart = 0;
  #lastClaim: [number, number] | undefined;
  readonly #cited = new Set<string>();

  /** `sources[n - 1]` is what mark n names; those not used in the prompt cannot be named. */
  constructor(sources: readonly Source[]) {
    this.#sources = sources;
  }

  /** The answer so far: everything `push` and `end` have given out, in one piece. */
  get answer(): string {
    return this.#answer;
  }

  push(text: string): CheckedText {
    return this.#advance(text, false);
  }

  /** No more text will come: what was kept back is decided. White space at the end is dropped. */
  end(): CheckedText {
    return this.#advance('', true);
  }

  #advance(text: string, final: boolean): CheckedText {
    const input = this.#held + text;
    const from = this.#answer.length;
    const citations: Citation[] = [];
    this.#held = '';
    let at = 0;
    while (at < input.length) {
      if (this.#fence !== '') {
        at = this.#passCode(input, at, final);
        continue;
      }
      special.lastIndex = at;
      const found = special.exec(input);
      if (found === null) {
        this.#emit(input.slice(at));
        break;
      }
      this.#emit(input.slice(at, found.index));
      at = found.index;
      if (found[0].startsWith('`')) at = this.#openCode(input, at, found[0], final);
      else if (/\s$/.test(found[0])) at = final ? input.length : this.#holdRest(input, at);
      else at = this.#decideMark(input, at, found[0], final, citations);
    }
    return { text: this.#answer.slice(from), citations };
  }

  /** Keeps what is undecided for the next piece: a mark's beginning, or white space; the latter has no end of its own. */
  #holdRest(input: string, at: number): number {
    const cut = Math.max(at, input.length - maxHeldCharacters);
    this.#emit(input.slice(at, cut));
    this.#held = input.slice(cut);
    return input.length;
  }

  #openCode(input: string, at: number, ticks: string, final: boolean): number {
    // At the end of a piece there may be more backticks to come.
    if (!final && at + ticks.length === input.length) return this.#holdRest(input, at);
    this.#emit(ticks);
    this.#fence = ticks;
    return at + ticks.length;
  }

  #passCode(input: string, at: number, final: boolean): number {
    const inline = this.#fence.length < 3;
    const ends = inline ? /`+|\n/g : /`+/g;
    ends.lastIndex = at;
    const found = ends.exec(input);
    if (found === null) {
      this.#emit(input.slice(at));
      return input.length;
    }
    const [ticks] = found;
    const behind = found.index + ticks.length;
    if (ticks !== '\n' && !final && behind === input.length) {
      this.#emit(input.slice(at, found.index));
      return this.#holdRest(input, found.index);
    }
    // The new line itself is prose again, and may stand before a mark.
    const passed = ticks === '\n' ? found.index : behind;
    this.#emit(input.slice(at, passed));
    const closing = inline ? ticks === this.#fence : ticks.length >= this.#fence.length;
    if (ticks === '\n' || closing) this.#fence = '';
    return passed;
  }

  #decideMark(input: string, at: number, opening: string, final: boolean, citations: Citation[]): number {
    const bracket = at + opening.length - 1;
    const space = opening.slice(0, -1);
    mark.lastIndex = bracket;
    const found = mark.exec(input);
    if (found === null) {
      if (!final && beginningOfMark.test(input.slice(bracket))) return this.#holdRest(input, at);
      this.#emit(opening);
      return bracket + 1;
    }
    const named = numbersOf(found[1] ?? '');
    const valid = named.filter((n) => this.#sources[n - 1]?.used_in_prompt === true);
    if (valid.length < named.length) this.#remove(named);
    if (valid.length === 0) this.#orphanSpace ||= space;
    else this.#cite(valid, this.#orphanSpace || space, citations);
    return bracket + found[0].length;
  }

  #remove(named: readonly number[]): void {
    for (const marker of named) {
      const source = this.#sources[marker - 1];
      if (source?.used_in_prompt === true) continue;
      this.invented += 1;
      const reason = source === undefined ? 'no_such_passage' : 'not_in_prompt';
      if (this.removed.length < maxExplained.citations) this.removed.push({ marker, reason });
    }
  }

  #cite(markers: readonly number[], space: string, citations: Citation[]): void {
    const span = this.#claim();
    this.#orphanSpace = '';
    this.#emit(space + markers.map((n) => `[${n}]`).join(''));
    this.#claimStart = this.#answer.length;
    this.#lastClaim = span;
    for (const marker of markers) {
      const source = this.#sources[marker - 1];
      const key = `${marker}:${span[0]}`;
      if (source === undefined || this.#cited.has(key)) continue;
      this.#cited.add(key);
      citations.push(citationOf(marker, span, source));
    }
  }

  /** `[start, end)` of the sentence or clause that a mark at the present end of the answer closes. */
  #claim(): [number, number] {
    const since = this.#answer.slice(this.#claimStart);
    const end = since.trimEnd().length;
    let start = 0;
    for (const { index, 0: matched } of since.matchAll(boundary)) {
      if (index + matched.length < end) start = index + matched.length;
    }
    // What is left of the sentence before: its full stop, the comma between two clauses, a list's dash.
    start += /^[\s.,;:!?)*>-]*/.exec(since.slice(start, end))?.[0].length ?? 0;
    // A mark with nothing of its own, as in `… [1]. [2]`, closes the same sentence as the one before it.
    if (start >= end) return this.#lastClaim ?? [this.#claimStart, this.#claimStart];
    return [this.#claimStart + start, this.#claimStart + end];
  }

  #emit(text: string): void {
    if (text === '') return;
    if (this.#orphanSpace !== '') {
      if (!closesUp.test(text) && this.#answer !== '') this.#answer += this.#orphanSpace;
      this.#orphanSpace = '';
    }
    this.#answer += this.#answer === '' ? text.trimStart() : text;
  }
}

function numbersOf(text: string): number[] {
  const numbers: number[] = [];
  for (const [, first, last] of text.matchAll(/(\d+)(?:\s*[-–]\s*\D?(\d+))?/g)) {
    const from = Number(first);
    const to = last === undefined ? from : Number(last);
    if (to < from || to - from > maxRange) numbers.push(from, to);
    else for (let n = from; n <= to; n += 1) numbers.push(n);
  }
  return [...new Set(numbers)];
}

function citationOf(marker: number, span: [number, number], source: Source): Citation {
  const { document_id, title, chunk_id, heading_path, page, source_span, excerpt, score } = source;
  return {
    marker,
    answer_span: span,
    document_id,
    title,
    chunk_id,
    heading_path,
    page,
    source_span,
    excerpt,
    score,
  };
}
