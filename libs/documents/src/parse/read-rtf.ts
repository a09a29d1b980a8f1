import { readFile, stat } from 'node:fs/promises';
import { inLine, markdownOfRows } from './markdown-table.ts';
import { assertWithin, corrupt, type ParsedText, type ParseRequest } from './parsed-text.ts';
import { characterOf, labelOfCharset, labelOfPage, skippedDestinations } from './rtf-words.ts';

/**
 * RTF 1.9.1, as far as text needs it: groups, code pages of fonts, `\u` with its replacement characters, paragraphs,
 * outline levels, table rows, notes (in brackets where their mark stands); pictures, objects, fonts, colours, comments,
 * page headers, hidden and deleted text and the like are skipped. Groups are a stack, not a recursion, so that a file
 * of opening braces ends like any other.
 */
export async function readRtf(request: ParseRequest): Promise<ParsedText> {
  const { size } = await stat(request.file);
  assertWithin(request.limits, 'maxExpandedBytes', size);
  const rtf = (await readFile(request.file)).toString('latin1');
  const reader = new RtfReader();
  reader.read(rtf, (at) => request.onProgress(at, rtf.length, 'bytes'));
  if (reader.depth > 0) throw corrupt('The RTF file ends in the middle: it was cut off');
  const text = reader.blocks.join('\n\n').toWellFormed();
  assertWithin(request.limits, 'maxTextCharacters', text.length);
  return { text, mediaType: 'text/markdown', pages: null, title: reader.title ?? reader.heading };
}

interface Group {
  destination: 'text' | 'note' | 'mark' | 'skip' | 'fonts' | 'styles' | 'title';
  font: number;
  isHidden: boolean;
  isDeleted: boolean;
  replacements: number;
  outline: number;
}

/** What a note interrupts, and the depth of the groups around it. */
interface Interrupted {
  depth: number;
  paragraph: string;
  inTable: boolean;
}

class RtfReader {
  readonly blocks: string[] = [];
  title: string | null = null;
  heading: string | null = null;
  readonly #groups: Group[] = [];
  #group: Group = {
    destination: 'text',
    font: 0,
    isHidden: false,
    isDeleted: false,
    replacements: 1,
    outline: 0,
  };
  readonly #interrupted: Interrupted[] = [];
  readonly #fonts = new Map<number, string>();
  readonly #styles = new Map<number, number>();
  #page = 'windows-1252';
  #usualFont = 0;
  #paragraph = '';
  #bytes: number[] = [];
  #skipCharacters = 0;
  #row: string[] = [];
  #rows: string[][] = [];
  #inTable = false;
  #style = 0;

  get depth(): number {
    return this.#groups.length;
  }

  read(rtf: string, onProgress: (at: number) => void): void {
    const token =
      /\\(?:'([0-9a-fA-F]{2})|([a-zA-Z]{1,32})(-?\d{1,10})? ?|([\s\S]))|([{}])|[\r\n]+|([^\\{}\r\n]+)/y;
    let told = 0;
    for (let at = 0; at < rtf.length; at = token.lastIndex) {
      token.lastIndex = at;
      const found = token.exec(rtf);
      if (found === null) break;
      if (at - told > 1_000_000) {
        told = at;
        onProgress(at);
      }
      const [, hex, word, number, symbol, brace, plain] = found;
      // Whatever comes now may change where text goes or how it is decoded: the bytes so far belong to what was.
      const isByte = symbol !== undefined && '\\{}'.includes(symbol);
      if ((word ?? symbol ?? brace) !== undefined && !isByte) this.#flushBytes();
      if (hex !== undefined) this.#byte(Number.parseInt(hex, 16));
      else if (plain !== undefined) this.#plain(plain);
      else if (brace === '{') this.#startGroup();
      else if (brace === '}') this.#endGroup();
      else if (word === 'bin') token.lastIndex += Math.max(0, Number(number ?? 0));
      else if (word !== undefined) this.#word(word, number === undefined ? null : Number(number));
      else if (isByte) this.#plain(symbol);
      else if (symbol !== undefined) this.#symbol(symbol);
      if (this.#groups.length === 0 && brace === '}') break;
    }
    this.#endParagraph();
    if (this.#row.length > 0) this.#rows.push(this.#row);
    this.#endTable();
  }

  /** A brace ends what replaces a `\u`. */
  #startGroup(): void {
    this.#skipCharacters = 0;
    this.#groups.push({ ...this.#group });
  }

  #endGroup(): void {
    this.#skipCharacters = 0;
    const interrupted = this.#interrupted.at(-1);
    if (interrupted?.depth === this.#groups.length) {
      this.#interrupted.pop();
      const inside = inLine(this.#paragraph);
      this.#paragraph = interrupted.paragraph;
      this.#inTable = interrupted.inTable;
      if (this.#group.destination === 'note') {
        if (inside !== '') this.#append(` (${inside})`);
      } else if (inside !== '' && this.#paragraph === '') this.#paragraph = '- ';
    }
    if (this.#group.destination === 'styles' && /^\s*heading \d/i.test(this.#paragraph)) {
      this.#styles.set(this.#style, Number(/\d/.exec(this.#paragraph)?.[0]));
    }
    if (this.#group.destination === 'styles') this.#paragraph = '';
    const left = this.#group.destination;
    this.#group = this.#groups.pop() ?? this.#group;
    if (left === 'title' && this.#group.destination !== 'title' && this.#paragraph !== '') {
      const title = inLine(this.#paragraph);
      this.title = title === '' ? null : title;
      this.#paragraph = '';
    }
  }

  #word(word: string, number: number | null): void {
    const group = this.#group;
    if (this.#skipCharacters > 0 && characterOf[word] !== undefined) {
      this.#skipCharacters -= 1;
      return;
    }
    this.#skipCharacters = 0;
    if (word === 'u' && number !== null) {
      this.#append(String.fromCharCode(number & 0xffff));
      this.#skipCharacters = group.replacements;
      return;
    }
    if (word === 'uc') group.replacements = Math.max(0, number ?? 1);
    else if (word === 'ansicpg') this.#page = this.#labelOf(labelOfPage[number ?? 0] ?? `windows-${number}`);
    else if (word === 'fonttbl') group.destination = 'fonts';
    else if (word === 'stylesheet') group.destination = 'styles';
    else if (word === 'info') group.destination = 'skip';
    else if (word === 'title' && group.destination === 'skip') group.destination = 'title';
    else if (word === 'shptxt') group.destination = this.#interrupted.length > 0 ? 'note' : 'text';
    else if (word === 'listtext' || word === 'pntext') this.#interrupt('mark');
    else if (word === 'footnote') this.#interrupt('note');
    else if (skippedDestinations.has(word)) group.destination = 'skip';
    else if (word === 'v') group.isHidden = number !== 0;
    else if (word === 'deleted') group.isDeleted = number !== 0;
    else if (word === 'plain') {
      group.font = this.#usualFont;
      group.isHidden = false;
    } else if (word === 'deff') {
      this.#usualFont = number ?? 0;
      group.font = this.#usualFont;
    } else if (word === 'f') group.font = number ?? 0;
    else if (word === 'fcharset' && group.destination === 'fonts') {
      const label = labelOfCharset[number ?? 0];
      if (label !== undefined) this.#fonts.set(group.font, label);
    } else if (word === 's') {
      this.#style = number ?? 0;
      if (group.destination === 'text') group.outline = this.#styles.get(number ?? 0) ?? 0;
    } else if (word === 'outlinelevel' && group.destination === 'text')
      group.outline = Math.min(6, (number ?? 0) + 1);
    else if (group.destination === 'text') this.#textWord(word);
    else if (group.destination === 'note' || group.destination === 'mark') {
      this.#append(characterOf[word] ?? (/^(?:par|cell|row)$/.test(word) ? '\n' : ''));
    }
  }

  /**
   * A note, or a list's mark, in the middle of the text. LibreOffice and pandoc write `{\*\footnote`, Word
   * `{\footnote`: the star made the group one to skip, so what counts is the group around it. A mark without
   * anything in it is how LibreOffice writes a heading.
   */
  #interrupt(destination: 'note' | 'mark'): void {
    const around = this.#groups.at(-1)?.destination;
    this.#group.destination = around === 'text' ? destination : 'skip';
    if (around !== 'text') return;
    this.#interrupted.push({
      depth: this.#groups.length,
      paragraph: this.#paragraph,
      inTable: this.#inTable,
    });
    this.#paragraph = '';
  }

  #textWord(word: string): void {
    const character = characterOf[word];
    if (character !== undefined) this.#append(character);
    else if (word === 'par' || word === 'sect' || word === 'page') {
      if (this.#inTable) this.#append('\n');
      else this.#endParagraph();
    } else if (word === 'pard') {
      this.#group.outline = 0;
      this.#inTable = false;
    } else if (word === 'intbl') this.#inTable = true;
    else if (word === 'cell' || word === 'nestcell') {
      this.#row.push(inLine(this.#paragraph));
      this.#paragraph = '';
    } else if (word === 'row' || word === 'nestrow') {
      if (this.#row.some((cell) => cell !== '')) this.#rows.push(this.#row);
      this.#row = [];
      this.#inTable = false;
    }
  }

  #symbol(symbol: string): void {
    if (symbol === '*') {
      this.#group.destination = 'skip';
      return;
    }
    const character = { '~': '\u00a0', _: '\u2011', '-': '\u00ad' }[symbol];
    if (character !== undefined) {
      if (this.#skipCharacters > 0) this.#skipCharacters -= 1;
      else this.#append(character);
    } else if (symbol === '\n' || symbol === '\r') this.#word('par', null);
  }

  #plain(text: string): void {
    const skipped = Math.min(this.#skipCharacters, text.length);
    this.#skipCharacters -= skipped;
    for (let at = skipped; at < text.length; at += 1) this.#keep(text.charCodeAt(at));
  }

  #byte(byte: number): void {
    if (this.#skipCharacters > 0) this.#skipCharacters -= 1;
    else this.#keep(byte);
  }

  /** Bytes are gathered, because a character of a double-byte page is written as two. */
  #keep(byte: number): void {
    const { destination } = this.#group;
    if (destination !== 'skip' && destination !== 'fonts') this.#bytes.push(byte);
  }

  #flushBytes(): void {
    if (this.#bytes.length === 0) return;
    const bytes = Uint8Array.from(this.#bytes);
    this.#bytes = [];
    const label = this.#fonts.get(this.#group.font) ?? this.#page;
    this.#append(new TextDecoder(label).decode(bytes));
  }

  #labelOf(label: string): string {
    try {
      return new TextDecoder(label).encoding;
    } catch {
      return 'windows-1252';
    }
  }

  #append(text: string): void {
    const { destination, isHidden, isDeleted } = this.#group;
    if (destination === 'skip' || destination === 'fonts') return;
    if ((isHidden || isDeleted) && (destination === 'text' || destination === 'note')) return;
    if (destination === 'text' && !this.#inTable && this.#row.length === 0) this.#endTable();
    this.#paragraph += text;
  }

  #endParagraph(): void {
    this.#flushBytes();
    const text = this.#paragraph.trim();
    this.#paragraph = '';
    if (text === '' || this.#group.destination !== 'text') return;
    this.#endTable();
    const { outline } = this.#group;
    if (outline > 0) this.heading ??= inLine(text);
    this.blocks.push(outline > 0 ? `${'#'.repeat(outline)} ${inLine(text)}` : text);
  }

  #endTable(): void {
    if (this.#rows.length === 0) return;
    this.blocks.push(markdownOfRows(this.#rows));
    this.#rows = [];
  }
}
