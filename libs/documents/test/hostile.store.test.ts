import { describe, expect, it } from 'vitest';
import { docxOf, lyingBomb, paragraph, pdfOf, xlsxOf, zipOf } from './make-files.ts';
import { refusal } from './read-file.ts';

/** Each ends with its code; that memory and time stay bounded is shown where there is a process to bound. */
describe('hostile files', () => {
  const contentTypes = { '[Content_Types].xml': '<Types/>', '_rels/.rels': '<Relationships/>' };

  it('a zip bomb that says how large it is', async () => {
    const bomb = docxOf(paragraph('x'), { 'word/styles.xml': ' '.repeat(70 * 1024 * 1024) });
    expect(bomb.length).toBeLessThan(200_000);
    expect(await refusal(bomb, 'a.docx')).toMatch(/^parse_limits_exceeded: .*ingest\.max_expanded_bytes/);
  });

  it('a zip bomb that lies about its size', async () => {
    const bomb = lyingBomb('word/document.xml', 70 * 1024 * 1024, contentTypes);
    expect(await refusal(bomb, 'a.docx')).toMatch(/^parse_limits_exceeded: .*ingest\.max_expanded_bytes/);
  });

  it('an archive of many entries', async () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`word/x${at}.xml`, '<x/>']));
    expect(await refusal(docxOf(paragraph('x'), many), 'a.docx', { maxArchiveEntries: 1000 })).toMatch(
      /^parse_limits_exceeded: .*ingest\.max_archive_entries/,
    );
  });

  it.each(['../../etc/passwd', '/etc/passwd', 'word/..\\..\\x', 'C:\\x'])(
    'an entry named %s',
    async (name) => {
      expect(await refusal(docxOf(paragraph('x'), { [name]: 'x' }), 'a.docx')).toMatch(
        /^corrupt_file: .*leads out/,
      );
    },
  );

  const laughs = `<!DOCTYPE lolz [<!ENTITY a "ha">${Array.from({ length: 20 }, (_, at) => `<!ENTITY a${at} "${`&a${at === 0 ? '' : at - 1};`.repeat(10)}">`).join('')}]>`;
  it.each([
    ['DOCX', docxOf(paragraph('&a19;'), {}, laughs), 'a.docx'],
    ['XLSX', xlsxOf('', { 'xl/worksheets/sheet1.xml': `${laughs}<worksheet>&a19;</worksheet>` }), 'a.xlsx'],
    [
      'EPUB',
      zipOf({
        mimetype: 'application/epub+zip',
        'META-INF/container.xml': '<container><rootfile full-path="a.opf"/></container>',
        'a.opf':
          '<package><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/><itemref idref="a"/></package>',
        'a.xhtml': `${laughs}<html><body>&a19;</body></html>`,
      }),
      'a.epub',
    ],
  ])('a billion laughs in %s', async (_, bytes, name) => {
    expect(await refusal(bytes, name)).toMatch(/^parse_limits_exceeded: .*entities/);
  });

  const deep = 100_000;
  it.each([
    ['JSON lists', '['.repeat(deep) + ']'.repeat(deep), 'a.json'],
    ['JSON objects', `${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}`, 'a.json'],
    ['JSON in a line', `${'['.repeat(deep) + ']'.repeat(deep)}\n1\n`, 'a.jsonl'],
    ['HTML', `<p>text</p>${'<div>'.repeat(deep)}x${'</div>'.repeat(deep)}`, 'a.html'],
    ['HTML tables', `<p>text</p>${'<table><tr><td>'.repeat(deep)}x`, 'a.html'],
    [
      'DOCX',
      docxOf(
        `${'<w:sdt><w:sdtContent>'.repeat(deep)}${paragraph('x')}${'</w:sdtContent></w:sdt>'.repeat(deep)}`,
      ),
      'a.docx',
    ],
    ['XLSX', xlsxOf('<row>'.repeat(deep)), 'a.xlsx'],
  ])('%s nested 100,000 levels deep', async (_, bytes, name) => {
    expect(await refusal(bytes, name)).toMatch(/^(?:parse_limits_exceeded: .*nested|corrupt_file)/);
  });

  const opened = '<w:p>'.repeat(500_000);
  const cutBody = `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`;
  it.each([
    ['in a whole document', docxOf(opened), /^parse_limits_exceeded: .*nested/],
    [
      'in one that is cut off',
      docxOf('', { 'word/document.xml': cutBody + opened }),
      /^parse_limits_exceeded: .*nested/,
    ],
    ['few, and cut off', docxOf('', { 'word/document.xml': `${cutBody}<w:p>` }), /^corrupt_file: .*closed/],
    [
      'in another part',
      docxOf(paragraph('x'), { 'word/styles.xml': opened }),
      /^parse_limits_exceeded: .*nested/,
    ],
  ])('DOCX of elements that are never closed, %s', async (_, bytes, refused) => {
    expect(await refusal(bytes, 'a.docx')).toMatch(refused);
  });

  it('a sheet that ends in the middle of its rows', async () => {
    const cut = xlsxOf('', {
      'xl/worksheets/sheet1.xml': '<worksheet><sheetData><row r="1"><c><v>1</v></c>',
    });
    expect(await refusal(cut, 'a.xlsx')).toMatch(/^corrupt_file: .*closed/);
  });

  it('RTF of opening braces only', async () => {
    expect(await refusal(`{\\rtf1 ${'{'.repeat(deep)}`, 'a.rtf')).toMatch(/^corrupt_file: .*cut off/);
  });

  it('a PDF of more pages than one document may have', async () => {
    const empty = pdfOf(Array.from({ length: 3000 }, () => []));
    expect(await refusal(empty, 'a.pdf', { maxPages: 2000 })).toMatch(
      /^parse_limits_exceeded: .*ingest\.max_pages/,
    );
  });

  it('a PDF that tells of fewer pages than it has', async () => {
    const pages = pdfOf(Array.from({ length: 3000 }, (_, at) => [`Page ${at}`])).toString('latin1');
    const lying = Buffer.from(pages.replace('/Count 3000', '/Count 5   '), 'latin1');
    expect(await refusal(lying, 'a.pdf', { maxPages: 2000 })).toMatch(
      /^parse_limits_exceeded: .*ingest\.max_pages/,
    );
  });

  it('a table repeated to the edge of the sheet is no larger than people make them', async () => {
    const content = `<office:document-content><office:spreadsheet><table:table table:name="a"><table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet></office:document-content>`;
    const sheet = zipOf({
      mimetype: 'application/vnd.oasis.opendocument.spreadsheet',
      'content.xml': content,
    });
    expect(await refusal(sheet, 'a.ods')).toMatch(/^read: # a\n/);
  });

  it('more text than a document may have', async () => {
    expect(await refusal('word '.repeat(1000), 'a.txt', { maxTextCharacters: 999 })).toMatch(
      /^parse_limits_exceeded: .*ingest\.max_text_characters/,
    );
    expect(await refusal('ж'.repeat(998), 'a.txt', { maxTextCharacters: 999 })).toMatch(/^read/);
  });
});
