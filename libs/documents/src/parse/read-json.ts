import { decodeFile } from './decode-file.ts';
import {
  assertWithin,
  corrupt,
  maxNesting,
  nestedTooDeep,
  type ParsedText,
  type ParseLimits,
  type ParseRequest,
} from './parsed-text.ts';

/**
 * JSON as text a person would write of it: `path: value` lines, and a paragraph of its own for each object of a
 * list. JSON with comments or trailing commas (settings of editors) is taken as it is; a cut-off file is refused.
 */
export async function readJson(request: ParseRequest): Promise<ParsedText> {
  const source = await decodeFile(request);
  assertNesting(source);
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    if (source.trim() === '') return { text: '', mediaType: 'text/plain', pages: null, title: null };
    if (isCutOff(source)) throw corrupt('The JSON file ends in the middle: it was cut off', error);
    return { text: source, mediaType: 'text/x-source', pages: null, title: null };
  }
  const writer = new RecordWriter(request.limits);
  writer.write(value);
  return { text: writer.finish(), mediaType: 'text/plain', pages: null, title: titleOf(value) };
}

/** One value per line. @throws StageFailure `corrupt_file` naming the line that is none. */
export async function readJsonLines(request: ParseRequest): Promise<ParsedText> {
  const source = await decodeFile(request);
  const writer = new RecordWriter(request.limits);
  let line = 0;
  for (let at = 0; at < source.length; ) {
    const end = source.indexOf('\n', at);
    const next = end === -1 ? source.length : end + 1;
    line += 1;
    const record = source.slice(at, next).trim();
    if (record !== '') {
      assertNesting(record);
      try {
        writer.write(JSON.parse(record));
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        throw corrupt(`Line ${line} of the JSONL file is no JSON: it was cut off or damaged`, error);
      }
      writer.endRecord();
    }
    at = next;
  }
  return { text: writer.finish(), mediaType: 'text/plain', pages: null, title: null };
}

/** Before parsing, over the text: what is written recurses, and paths grow with every level. */
function assertNesting(json: string): void {
  if (scan(json).deepest > maxNesting) throw nestedTooDeep('JSON objects and lists');
}

/** More opened than closed, or inside a string at its end. */
function isCutOff(json: string): boolean {
  const { open, inString } = scan(json);
  return open > 0 || inString;
}

function scan(json: string): { open: number; deepest: number; inString: boolean } {
  let open = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      open += 1;
      if (open > deepest) deepest = open;
    } else if (code === 0x7d || code === 0x5d) open -= 1;
  }
  return { open, deepest, inString };
}

function titleOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !('title' in value)) return null;
  const { title } = value;
  return typeof title === 'string' && title.trim() !== '' && title.length <= 200 ? title.trim() : null;
}

class RecordWriter {
  readonly #limits: ParseLimits;
  readonly #lines: string[] = [];
  #characters = 0;

  constructor(limits: ParseLimits) {
    this.#limits = limits;
  }

  /** `name` is the value's path within its record: `address.city`, `sizes[2].width`. */
  write(value: unknown, name = ''): void {
    if (Array.isArray(value)) this.#writeList(value, name);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value))
        this.write(inner, name === '' ? key : `${name}.${key}`);
    } else this.#writeLine(name, value);
  }

  endRecord(): void {
    if (this.#lines.at(-1) !== '') this.#add('');
  }

  finish(): string {
    return this.#lines.join('\n').trim().toWellFormed();
  }

  #writeList(list: unknown[], name: string): void {
    const isPlain = list.every((item) => typeof item !== 'object' || item === null);
    const joined = isPlain ? list.map((item) => shown(item)).join(', ') : '';
    if (isPlain && joined.length <= 200 && !joined.includes('\n')) {
      if (list.length > 0) this.#writeLine(name, joined);
      return;
    }
    for (const [index, item] of list.entries()) {
      const path = `${name}[${index}]`;
      if (typeof item !== 'object' || item === null) this.#writeLine(path, item);
      else if (Array.isArray(item)) this.write(item, path);
      else {
        this.endRecord();
        // The path stands once, above its record, and not in front of each of its lines.
        this.#add(path);
        this.write(item);
        this.endRecord();
      }
    }
  }

  #writeLine(name: string, value: unknown): void {
    this.#add(name === '' ? shown(value) : `${name}: ${shown(value)}`);
  }

  #add(line: string): void {
    this.#lines.push(line);
    this.#characters += line.length + 1;
    assertWithin(this.#limits, 'maxTextCharacters', this.#characters - 1);
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value.trim() : String(value);
}
