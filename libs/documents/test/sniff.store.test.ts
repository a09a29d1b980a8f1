import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentMediaTypes, mediaTypes } from '../src/document-media-types.ts';
import { sniffDocument } from '../src/sniff.ts';
import { detectEncoding } from '../src/text-encoding.ts';
import { encodeText } from './encode-text.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vortex-sniff-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function sniffed(bytes: Uint8Array | string, filename: string | null): Promise<string> {
  const file = join(folder, String(files++));
  await writeFile(file, bytes);
  try {
    const { mediaType } = await sniffDocument({ file, filename });
    expect(documentMediaTypes).toContain(mediaType);
    return mediaType;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const zip = (...names: string[]) =>
  zipSync(Object.fromEntries(names.map((name) => [name, Buffer.from('<x/>')])));
const openDocument = (type: string) =>
  zipSync({ mimetype: [Buffer.from(type), { level: 0 }], 'content.xml': Buffer.from('<x/>') });
const docx = zip('[Content_Types].xml', 'word/document.xml');

describe('files as they come', () => {
  it.each([
    ['a PDF', '%PDF-1.7\n…', 'a.pdf', mediaTypes.pdf],
    ['a PDF behind junk, without a name', `${' '.repeat(500)}%PDF-1.4`, null, mediaTypes.pdf],
    ['a DOCX', docx, 'a.docx', mediaTypes.docx],
    ['a DOCX without a name', docx, null, mediaTypes.docx],
    ['a DOCX under a name that says nothing', docx, 'contract.final', mediaTypes.docx],
    [
      'a DOCX whose document has a number',
      zip('[Content_Types].xml', 'word/document2.xml'),
      'a.docm',
      mediaTypes.docx,
    ],
    ['a PPTX', zip('[Content_Types].xml', 'ppt/presentation.xml'), 'a.pptx', mediaTypes.pptx],
    ['an XLSX', zip('[Content_Types].xml', 'xl/workbook.xml'), 'a.XLSX', mediaTypes.xlsx],
    ['an ODT', openDocument(mediaTypes.odt), 'a.odt', mediaTypes.odt],
    ['an ODT template', openDocument(`${mediaTypes.odt}-template`), 'a.ott', mediaTypes.odt],
    ['an ODS', openDocument(mediaTypes.ods), null, mediaTypes.ods],
    ['an ODP', openDocument(mediaTypes.odp), null, mediaTypes.odp],
    ['an EPUB', zip('mimetype', 'META-INF/container.xml'), 'a.epub', mediaTypes.epub],
    ['an RTF', '{\\rtf1\\ansi Hello}', 'a.rtf', mediaTypes.rtf],
    ['an RTF named .doc', '{\\rtf1\\ansi Hello}', 'a.doc', mediaTypes.rtf],
    ['HTML', '<p>no head', 'a.html', 'text/html'],
    ['HTML without a name', '\n<!DOCTYPE html><title>x</title>', null, 'text/html'],
    ['Markdown', 'no marks', 'a.md', 'text/markdown'],
    ['Markdown without a name', '# Title\n\nText', null, 'text/markdown'],
    ['plain text that looks like Markdown', '# Title\n\nText', 'a.txt', 'text/plain'],
    ['prose that begins like a bitmap', 'BMW builds cars. '.repeat(9), null, 'text/plain'],
    ['prose that begins like a program', 'MZ is the mark of an executable.', 'mz', 'text/plain'],
    ['CSV', 'a;b\n1;2', 'a.csv', 'text/csv'],
    ['TSV', 'a\tb\n1\t2', 'a.tsv', 'text/tab-separated-values'],
    ['JSON', '{"a": 1}', 'a.json', 'application/json'],
    ['JSON without a name', '{"a": [1,\n 2]}', null, 'application/json'],
    ['lines of JSON', '{"a":1}\n{"a":2}\n', 'a.jsonl', 'application/x-ndjson'],
    ['lines of JSON without a name', '{"a":1}\n{"a":2}\n{"a', null, 'application/x-ndjson'],
    ['a program', 'print("a")', 'a.py', 'text/x-source'],
    ['nothing', '', 'a.txt', 'text/plain'],
  ])('%s', async (_, bytes, filename, expected) => {
    expect(await sniffed(bytes, filename)).toBe(expected);
  });
});

describe('text in any common encoding', () => {
  const german = 'Größere Änderungen überprüft die Behörde nach § 5; das kostet 20 Mark für jeden. ';
  const french = 'À l’école, les élèves ont préféré « cœur » et garçon, même en été. ';
  const polish = 'Zażółć gęślą jaźń, a później sprawdź, czy źródło jest właściwe. ';
  const russian = 'Съешь же ещё этих мягких французских булок, да выпей чаю. ';
  const greek = 'Ξεσκεπάζω την ψυχοφθόρα βδελυγμία και τα υπόλοιπα έγγραφα. ';
  const turkish = 'Pijamalı hasta yağız şoföre çabucak güvendi ve işini bitirdi. ';
  const hebrew = 'דג סקרן שט בים מאוכזב ולפתע מצא חברה. ';
  const arabic = 'نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر. ';
  const japanese = '日本語の文書です。検索システムは、この文を見つけなければなりません。カタカナも含む。';
  const chinese = '这是一个中文文档。检索系统必须能够找到这句话，并且引用正确的位置。';
  const korean = '이것은 한국어 문서입니다. 검색 시스템은 이 문장을 찾아야 합니다. ';
  it.each([
    ['utf-8', `${german}${russian}${japanese}👩‍🚀`],
    ['utf-16le', `${german}${russian}`],
    ['utf-16be', `${german}${russian}`],
    ['utf-16le', japanese],
    ['windows-1252', french.repeat(3)],
    ['windows-1252', german.repeat(3)],
    ['windows-1250', polish.repeat(3)],
    ['iso-8859-2', polish.repeat(3)],
    ['windows-1251', russian.repeat(3)],
    ['koi8-r', russian.repeat(3)],
    ['iso-8859-5', russian.repeat(3)],
    ['windows-1253', greek.repeat(3)],
    ['iso-8859-7', greek.repeat(3).replaceAll('’', "'")],
    ['windows-1254', turkish.repeat(3)],
    ['windows-1255', hebrew.repeat(3)],
    ['windows-1256', arabic.repeat(3)],
    ['shift_jis', japanese.repeat(3)],
    ['euc-jp', japanese.repeat(3)],
    ['gb18030', chinese.repeat(3)],
    ['big5', '這是一個中文文檔。檢索系統必須能夠找到這句話，並且引用正確的位置。'.repeat(3)],
    ['euc-kr', korean.repeat(3)],
  ])('%s', async (label, text) => {
    const bytes = label === 'utf-8' ? Buffer.from(text) : encodeText(label, text);
    expect(await sniffed(bytes, 'notes.txt')).toBe('text/plain');
    expect(await sniffed(bytes, null)).toBe('text/plain');
  });

  it('with a byte order mark', async () => {
    for (const label of ['utf-16le', 'utf-16be']) {
      expect(await sniffed(encodeText(label, '\ufeffab'), 'a.txt')).toBe('text/plain');
    }
    expect(await sniffed('\ufeffab', 'a.txt')).toBe('text/plain');
  });

  it.each([
    ['a CSV', `id,name\n1,ab\n2,cd\n\0\n${'3,ef\n'.repeat(30)}`],
    ['a log', `${'one\ntwo\n'.repeat(100)}\0\n`],
    ['Czech', `${'Zpráva o stavu\n'.repeat(60)}\0\n`],
  ])('with a stray zero: %s, and not Chinese', (_, text) => {
    expect(detectEncoding(Buffer.from(text))).toBe('utf-8');
  });

  it('cut inside of a character where the look ends', async () => {
    expect(await sniffed(`x${'é'.repeat(70_000)}`, null)).toBe('text/plain');
  });
});

describe('what is refused', () => {
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex');
  it.each([
    ['an image', png, 'photo.png', /^unsupported_type: .*image\/png.*Vortex reads PDF/],
    ['an SVG', '<?xml version="1.0"?>\n<svg xmlns="x"/>', 'a', /^unsupported_type: .*SVG/],
    ['a compressed file', gzipSync('x'.repeat(99)), 'a.gz', /^unsupported_type: .*gzip/],
    ['an archive', zip('a.txt', 'b.txt'), 'a.zip', /^unsupported_type: .*Unpack it/],
    ['random bytes', randomBytes(5000), 'a.bin', /^unsupported_type/],
    ['few random bytes', Buffer.from('00ff13a70180c3', 'hex'), null, /^unsupported_type/],
    [
      'old Word',
      Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(4000)]),
      'a.doc',
      /^unsupported_type: .*Save it as DOCX/,
    ],
    ['text named .pdf', 'Just text.', 'a.pdf', /^corrupt_file: .*plain text.*rename/],
    ['an image named .pdf', png, 'a.pdf', /^corrupt_file: .*image\/png/],
    ['an image named .txt', png, 'a.txt', /^corrupt_file/],
    ['random bytes named .md', randomBytes(5000), 'a.md', /^corrupt_file/],
    ['a PDF named .txt', '%PDF-1.7', 'a.txt', /^corrupt_file: .*application\/pdf/],
    ['a PDF named .docx', '%PDF-1.7', 'a.docx', /^corrupt_file/],
    ['text named .docx', 'Just text.', 'a.docx', /^corrupt_file/],
    ['a DOCX named .xlsx', docx, 'a.xlsx', /^corrupt_file/],
    ['an archive named .docx', zip('a.txt'), 'a.docx', /^corrupt_file/],
    ['text named .rtf', 'Just text.', 'a.rtf', /^corrupt_file/],
    ['nothing, named .pdf', '', 'a.pdf', /^corrupt_file/],
    [
      'old Word named .docx',
      Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(4000)]),
      'a.docx',
      /^corrupt_file: .*old Office/,
    ],
  ])('%s', async (_, bytes, filename, expected) => {
    expect(await sniffed(bytes, filename)).toMatch(expected);
  });

  it('an office file cut off anywhere', async () => {
    for (let length = 4; length < docx.length; length += 7) {
      expect(await sniffed(docx.subarray(0, length), 'a.docx')).toMatch(/^corrupt_file/);
      expect(await sniffed(docx.subarray(0, length), null)).toMatch(/^corrupt_file: .*cut off/);
    }
  });

  it('any office file with a byte changed, without an error of another kind', async () => {
    for (let place = 0; place < docx.length; place += 1) {
      const changed = Buffer.from(docx);
      changed[place] = (changed[place] ?? 0) ^ 0xff;
      expect(await sniffed(changed, 'a.docx')).toMatch(/^(?:corrupt_file|application\/vnd.*document$)/);
    }
  });
});

it('a locked office file is let through as what its name says', async () => {
  const locked = Buffer.alloc(8192);
  Buffer.from('d0cf11e0a1b11ae1', 'hex').copy(locked);
  locked.writeUInt16LE(9, 30);
  locked.writeUInt32LE(1, 48);
  Buffer.from('EncryptedPackage', 'utf16le').copy(locked, 1024 + 128);
  expect(await sniffed(locked, 'a.xlsx')).toBe(mediaTypes.xlsx);
  expect(await sniffed(locked, 'a.docx')).toBe(mediaTypes.docx);
});
