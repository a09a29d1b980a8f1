import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { chunkText } from '../src/index.ts';
import { plainLetters } from '../src/parse/pdf-right-to-left.ts';
import { encodeText } from './encode-text.ts';
import { docxOf, paragraph, pdfOf, xlsxOf } from './make-files.ts';
import { readFileAs, refusal } from './read-file.ts';

const fixture = (name: string) => readFile(new URL(`./fixtures/${name}`, import.meta.url));
const countTokens = (text: string) => text.match(/\S+/g)?.length ?? 0;

const sentences = [
  'A full tank of colza oil lasts eleven winter nights, and not one hour longer.',
  'The foghorn answers every ninety seconds when the far cliff cannot be seen.',
  'مرحبا بكم في المنارة القديمة على الشاطئ الشمالي.',
  'המגדלור עומד על הצוק הצפוני מאז שנת אלף תשע מאות.',
  'Wipe the lens with spirit.',
  'Öztürk',
  '🔦',
];

describe('files that other programs made', () => {
  it.each([
    ['page.html', null, ['Keeping the light', 'Oil']],
    ['libreoffice.docx', null, ['Keeping the light', 'Oil']],
    ['libreoffice.odt', null, ['Keeping the light', 'Oil']],
    ['libreoffice.rtf', null, ['Keeping the light', 'Oil']],
    ['libreoffice.epub', null, []],
    ['libreoffice.pdf', [1, 2, 2, 2, 1, 1, 2], []],
    ['pandoc.docx', null, ['Keeping the light', 'Oil']],
    ['pandoc.rtf', null, ['Keeping the light', 'Oil']],
    ['pandoc.epub', null, ['Keeping the light', 'Oil']],
    ['pandoc.pptx', [2, 4, 4, 4, 3, 2, 3], ['Keeping the light']],
    ['pandoc.odp', [2, 4, 4, 4, 3, 2, 3], ['Keeping the light']],
  ])('%s: every sentence, its page and its headings; pieces are slices', async (name, pages, path) => {
    const parsed = await readFileAs(await fixture(name), name);
    const pieces = chunkText({ ...parsed, title: '' }, { maxTokens: 40, overlapTokens: 5, countTokens });
    for (const piece of pieces) expect(parsed.text.slice(...piece.source_span)).toBe(piece.text);
    for (const [at, sentence] of sentences.entries()) {
      const piece = pieces.find(({ text }) => text.includes(sentence));
      expect(piece, `${sentence} in ${parsed.text}`).toBeDefined();
      expect(piece?.page, sentence).toBe(pages === null ? null : pages[at]);
    }
    expect(pieces.find(({ text }) => text.includes(sentences[0] ?? ''))?.heading_path).toEqual(path);
    expect(parsed.title).toMatch(/lighthouse|Keeping the light/);
  });

  it.each(['libreoffice.xlsx', 'libreoffice.ods'])('%s: values as the sheet shows them', async (name) => {
    const { text, pages } = await readFileAs(await fixture(name), name);
    expect(text).toContain('# sheet\n\n| Date | Item | Price | Share | Done |\n| --- |');
    expect(text).toContain('| 2024-11-30 | Colza oil | 1234.5 | 0.75 | FALSE |');
    expect(pages).toEqual([{ start: 0 }]);
  });

  it.each([
    ['scan.pdf', /^no_text_layer: .*OCR/],
    ['locked.pdf', /^encrypted_pdf: .*password/],
    ['locked.odt', /^encrypted_document: .*password/],
  ])('%s', async (name, expected) => {
    expect(await refusal(await fixture(name), name)).toMatch(expected);
  });

  it.each(
    [
      'page.html',
      'libreoffice.docx',
      'libreoffice.odt',
      'libreoffice.rtf',
      'libreoffice.epub',
      'libreoffice.pdf',
      'libreoffice.xlsx',
      'pandoc.pptx',
      'pandoc.odp',
    ].filter((name) => name !== 'page.html'),
  )('%s, cut off anywhere, is corrupt and never half a document', async (name) => {
    const bytes = await fixture(name);
    for (const share of [0.02, 0.3, 0.7, 0.95]) {
      expect(await refusal(bytes.subarray(0, Math.floor(bytes.length * share)), name)).toMatch(
        /^corrupt_file: /,
      );
    }
  });
});

describe('tables', () => {
  it('nested in HTML lose no cell', async () => {
    const html =
      '<table><tr><th>Lamp</th><th>Parts</th></tr><tr><td>North</td><td>has <table><tr><td>lens</td><td>2</td></tr><tr><td>wick|oil</td><td>1</td></tr></table> in all</td></tr></table>';
    expect((await readFileAs(html, 'a.html')).text).toBe(
      '| Lamp | Parts |\n| --- | --- |\n| North | has lens, 2; wick\\|oil, 1 in all |',
    );
  });

  it('of a spreadsheet: dates, percent, thousands, shared texts', async () => {
    const styles =
      '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="#,##0.00\\ [$€-407]"/><numFmt numFmtId="165" formatCode="dd/mm/yyyy"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="165"/><xf numFmtId="9"/><xf numFmtId="164"/></cellXfs></styleSheet>';
    const rels = `<Relationships><Relationship Id="rId1" Type="a/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="a/styles" Target="styles.xml"/><Relationship Id="rId3" Type="a/sharedStrings" Target="sharedStrings.xml"/></Relationships>`;
    const sheet =
      '<row><c r="B1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t>Share</t></is></c><c r="D1" t="str"><v>Price</v></c></row><row><c r="B3" s="1"><v>45356</v></c><c r="C3" s="2"><v>0.25</v></c><c r="D3" s="3"><v>-1234567.891</v></c></row>';
    const bytes = xlsxOf(sheet, {
      'xl/_rels/workbook.xml.rels': rels,
      'xl/styles.xml': styles,
      'xl/sharedStrings.xml': '<sst><si><r><t>Da</t></r><r><t>y</t></r><rPh><t>x</t></rPh></si></sst>',
    });
    expect((await readFileAs(bytes, 'a.xlsx')).text).toBe(
      '# Prices\n\n| Day | Share | Price |\n| --- | --- | --- |\n| 05/03/2024 | 25% | -1,234,567.89 € |',
    );
  });

  it('of CSV in windows-1252 with semicolons', async () => {
    const rows = 'Stadt;Straße\nKöln;Große Budengasse\nTübingen;"Lange; Gasse"\n';
    const { text } = await readFileAs(encodeText('windows-1252', rows), 'a.csv');
    expect(text).toContain('| Tübingen | Lange; Gasse |');
  });

  it('long rows become records; a long table keeps its header in every piece', async () => {
    const wide = `id,text\n1,${'long words '.repeat(60)}\n2,short\n`;
    expect((await readFileAs(wide, 'a.csv')).text).toContain('id: 2\ntext: short');
    const rows = Array.from({ length: 6000 }, (_, at) => `${at},name ${at},city`).join('\n');
    const parsed = await readFileAs(`number,name,place\n${rows}`, 'a.csv');
    const pieces = chunkText({ ...parsed, title: '' }, { maxTokens: 100, overlapTokens: 0, countTokens });
    expect(parsed.text.length).toBeGreaterThan(128 * 1024);
    for (const { context, ordinal } of pieces.slice(1))
      expect(context, `piece ${ordinal}`).toBe('| number | name | place |');
  });
});

describe('text', () => {
  const japanese = '灯台守は夕暮れにランプの芯を整えます。霧笛は九十秒ごとに鳴ります。'.repeat(3);
  it.each([
    ['shift_jis', japanese],
    ['euc-jp', japanese],
    ['utf-16le', `\ufeff${japanese}👩‍🚀`],
    ['utf-16be', `\ufeff${japanese}`],
    ['koi8-r', 'Туман приходит рано утром, и смотритель зажигает лампу. '.repeat(4)],
    ['windows-1251', 'Туман приходит рано утром, и смотритель зажигает лампу. '.repeat(4)],
    ['gb18030', '雾在清晨来临，守塔人点亮了灯。这盏灯能照到很远的地方。'.repeat(4)],
    ['euc-kr', '안개는 이른 아침에 오고 등대지기는 등불을 켭니다. '.repeat(4)],
    ['windows-1252', 'walrus café naïve '],
    ['windows-1250', 'Příliš žluťoučký kůň úpěl ďábelské ódy. '.repeat(4)],
    ['windows-1250', 'Čovjek i žena su već došli kući. '],
    ['windows-1252', 'Der Wärter prüft das Öl – „täglich“, heißt es. À bientôt, señor. '.repeat(4)],
  ])('in %s comes out as it was', async (label, text) => {
    const plain = `${'ASCII first. '.repeat(label.startsWith('utf') ? 0 : 6000)}${text}`;
    const read = await readFileAs(encodeText(label, plain), 'a.txt');
    expect(read.text === plain.replace('\ufeff', ''), read.text.slice(-80)).toBe(true);
  });

  it.each([[[0xff, 0xfe]], [[0xfe, 0xff]], [[0xef, 0xbb, 0xbf]]])(
    'that is a byte order mark only (%j) is empty',
    async (bytes) => {
      expect(await refusal(Buffer.from(bytes), 'a.txt')).toMatch(/^empty_document/);
    },
  );

  it('that is UTF-8 but for one byte stays UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('Käse und Brötchen, schön. '.repeat(20)),
      Buffer.from([0xff]),
      Buffer.from(' Ende'),
    ]);
    expect((await readFileAs(bytes, 'a.txt')).text).toMatch(/^Käse und Brötchen, schön\. .*\ufffd Ende$/);
  });

  it('of JSON: paths, records, and settings with comments as they are', async () => {
    const json = JSON.stringify({
      name: 'fleet',
      ships: [
        { name: 'Ada', ports: ['Kiel', 'Oslo'] },
        { name: 'Bea', crew: { cook: 1 } },
      ],
    });
    expect((await readFileAs(json, 'a.json')).text).toBe(
      'name: fleet\n\nships[0]\nname: Ada\nports: Kiel, Oslo\n\nships[1]\nname: Bea\ncrew.cook: 1',
    );
    expect((await readFileAs('{ // a comment\n "a": 1, }', 'tsconfig.json')).text).toContain('// a comment');
    expect((await readFileAs('{"a":1}\n\n{"a":{"b":2}}\n', 'a.jsonl')).text).toBe('a: 1\n\na.b: 2');
    expect(await refusal('{"a": [1, 2', 'a.json')).toMatch(/^corrupt_file: .*cut off/);
    expect(await refusal('{"a":1}\n{"a":', 'a.jsonl')).toMatch(/^corrupt_file: Line 2 /);
  });

  it('of programs is cut at lines', async () => {
    const parsed = await readFileAs(`${'  const value = compute(one, two. three);\n'.repeat(50)}`, 'a.ts');
    const pieces = chunkText({ ...parsed, title: '' }, { maxTokens: 30, overlapTokens: 0, countTokens });
    for (const { text } of pieces) expect(text).toMatch(/^const value.*three\);$/s);
  });
});

describe('PDF', () => {
  it('of 300 pages: each sentence on its page, lines joined, words made whole', async () => {
    const pages = Array.from({ length: 300 }, (_, at) => [
      `Entry ${at + 1} of the log was written by the keeper of the light-`,
      'house in the hour before dawn and it tells of nothing but fog.',
    ]);
    const parsed = await readFileAs(pdfOf(pages), 'log.pdf');
    expect(parsed.pages).toHaveLength(300);
    const pieces = chunkText({ ...parsed, title: '' }, { maxTokens: 60, overlapTokens: 10, countTokens });
    expect(pieces).toHaveLength(300);
    for (const [at, { text, page, source_span }] of pieces.entries()) {
      expect(page).toBe(at + 1);
      expect(text).toBe(
        `Entry ${at + 1} of the log was written by the keeper of the lighthouse in the hour before dawn and it tells of nothing but fog.`,
      );
      expect(parsed.text.slice(...source_span)).toBe(text);
    }
  });

  it('of Arabic and Hebrew: lam-alef, numbers and Latin words in the order they are read', async () => {
    const { text } = await readFileAs(await fixture('libreoffice-arabic.pdf'), 'a.pdf');
    for (const sentence of [
      'القطة السوداء لا تحب الأسماك إلا في الصباح الباكر.',
      'في عام 2024 اشترى 12 ',
      'بسعر 3.50 ريال (لا أكثر) من IBM.',
      'The word لا means no, and الأسماك means fish.',
      'The office finds efficient flow.',
      'המגדלור עומד על הצוק 12 שנים',
    ])
      expect(text).toContain(sentence);
    expect(String.fromCodePoint(0x0644, 0x0627)).toBe('لا');
  });

  it('presentation forms become the letters that are searched for', () => {
    expect(plainLetters('\ufefb \ufb01nd \ufefc \ufe7e')).toBe('لا find لا \ufe7e');
  });

  it('empty pages count', async () => {
    const parsed = await readFileAs(pdfOf([[], ['Second page.'], [], ['Fourth page.']]), 'a.pdf');
    const pieces = chunkText({ ...parsed, title: '' }, { maxTokens: 60, overlapTokens: 10, countTokens });
    expect(pieces.map(({ text, page }) => [text, page])).toEqual([
      ['Second page.', 2],
      ['Fourth page.', 4],
    ]);
  });
});

it.each([
  ['a.txt', ' \n\t'],
  ['a.html', '<html><script>x</script></html>'],
  ['a.docx', docxOf(paragraph(' '))],
  ['a.pdf', pdfOf([[], []])],
  ['a.json', '{}'],
])('%s without text is an empty document', async (name, bytes) => {
  expect(await refusal(bytes, name)).toMatch(/^empty_document: /);
});
