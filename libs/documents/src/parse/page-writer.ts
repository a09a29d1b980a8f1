import { assertWithin, type ParsedText, type ParseLimits } from './parsed-text.ts';

/** Puts a document's text together page by page (slide, sheet), blank lines between, and notes where each begins. */
export class PageWriter {
  readonly #limits: ParseLimits;
  readonly #parts: string[] = [];
  readonly #pages: { start: number }[] = [];
  #characters = 0;

  constructor(limits: ParseLimits) {
    this.#limits = limits;
  }

  /** A page without text is a page all the same: the next one's number depends on it. */
  add(text: string): void {
    const wellFormed = text.trimEnd().toWellFormed();
    assertWithin(this.#limits, 'maxPages', this.#pages.length + 1);
    if (wellFormed !== '' && this.#characters > 0) this.#append('\n\n');
    this.#pages.push({ start: this.#characters });
    this.#append(wellFormed);
    assertWithin(this.#limits, 'maxTextCharacters', this.#characters);
  }

  finish(): { text: string; pages: NonNullable<ParsedText['pages']> } {
    return { text: this.#parts.join(''), pages: this.#pages };
  }

  #append(text: string): void {
    this.#parts.push(text);
    this.#characters += text.length;
  }
}
