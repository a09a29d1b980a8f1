import { type Chance, mutateBytes, mutateText } from '@vortex/testkit/fuzz';
import { unzipSync, zipSync } from 'fflate';

/**
 * A document that is nearly one. Bytes changed at random mostly break a checksum and are refused at the door; so a zip
 * is changed in what it holds and zipped anew, and text is changed by its words and brackets.
 */
export function mutateDocument(name: string, bytes: Buffer, chance: Chance, other: Buffer): Buffer {
  if (chance.is(0.25)) return mutateBytes(bytes, chance, other);
  if (bytes.subarray(0, 2).toString('latin1') === 'PK') return mutateZip(bytes, chance, other);
  const format = /\.([a-z]+)$/.exec(name)?.[1] ?? '';
  const words = wordsOf[format] ?? wordsOf.txt ?? [];
  // A PDF is bytes; one letter for each keeps what is compressed in it.
  if (format === 'pdf') return Buffer.from(mutateText(bytes.toString('latin1'), chance, words), 'latin1');
  return Buffer.from(mutateText(bytes.toString('utf8'), chance, words));
}

function mutateZip(bytes: Buffer, chance: Chance, other: Buffer): Buffer {
  let parts: Record<string, Uint8Array>;
  try {
    // A bomb is not to go off here.
    parts = unzipSync(bytes, { filter: ({ originalSize }) => originalSize < 1024 * 1024 });
  } catch {
    return mutateBytes(bytes, chance, other);
  }
  const names = Object.keys(parts);
  const name = chance.is(0.8)
    ? chance.oneOf(names.filter((one) => /\.(?:xml|rels|x?html|opf|ncx)$/.test(one)))
    : chance.oneOf(names);
  const part = Buffer.from(parts[name] ?? []);
  const choice = chance.below(10);
  if (choice < 7) parts[name] = Buffer.from(mutateText(part.toString('utf8'), chance, wordsOf.xml ?? []));
  else if (choice === 7) parts[name] = mutateBytes(part, chance, other);
  else if (choice === 8) delete parts[name];
  else parts[name] = parts[chance.oneOf(names)] ?? part;
  return Buffer.from(zipSync(parts, { level: 1 }));
}

const markup = [
  '<',
  '>',
  '</',
  '/>',
  '&',
  '"',
  '<!--',
  '-->',
  '<![CDATA[',
  ']]>',
  '<?xml',
  '<!DOCTYPE a [<!ENTITY a "b">]>',
];
/** Of two units, of none to see, of the end of a line to some: what text is counted wrongly by. */
const uncounted = [
  '\u{1f600}',
  '\u200d',
  '\u200b',
  '\u{e0041}',
  '\u2028',
  '\u0085',
  '\u202e',
  '\ufe0f',
  '\ufeff',
  '\u0301',
  '\v',
  '\0',
];
const wordsOf: Record<string, readonly string[]> = {
  txt: [...uncounted, '\n', '\r', '\t', '\f', '\n\n'],
  md: [
    '#',
    '|',
    '|-|',
    '`',
    '```',
    '~~~',
    '>',
    '- ',
    '1. ',
    '[',
    '](',
    ')',
    '![',
    '<a>',
    '*',
    '_',
    '\n',
    '\n\n',
    '    ',
    '[^1]',
    '$',
  ],
  html: [
    ...markup,
    '<table>',
    '<tr>',
    '<td colspan=9999 rowspan=9999>',
    '<ul>',
    '<li>',
    '<pre>',
    '<script>',
    '<template>',
    '<svg>',
    '<math>',
    '<b>',
    '<p>',
    '<a href=x>',
    '<meta charset=utf-16>',
    '<br>',
    '<title>',
    '<select>',
    '<textarea>',
  ],
  xml: [
    ...markup,
    '<w:p>',
    '</w:p>',
    '<w:tbl>',
    '<w:tr>',
    '<w:tc>',
    '<w:sdt>',
    '<a:t>',
    '<row>',
    '<c r="XFD1048576">',
    '<c t="s"><v>999999</v></c>',
    '<text:p>',
    '<text:s text:c="999999999"/>',
    '<table:table-cell table:number-columns-repeated="1048576">',
    '<text:h text:outline-level="999">',
    '<w:vMerge/>',
    '<w:gridSpan w:val="99999"/>',
    '<itemref idref="a"/>',
    '<r:id>',
  ],
  csv: [',', ';', '\t', '"', '""', '\n', '\r\n', '=1+1', '|'],
  tsv: ['\t', '"', '\n', '\r'],
  json: ['{', '}', '[', ']', ',', ':', '"', '\\', '\\u0000', '\\ud800', 'null', '1e999', '\n'],
  jsonl: ['{', '}', '[', ']', ',', ':', '"', '\\', '\n', 'null', '\n\n'],
  rtf: [
    '{',
    '}',
    '\\',
    '\\bin',
    '\\bin99999999 ',
    '\\u-1',
    '\\u55357?',
    "\\'",
    "\\'zz",
    '\\uc99',
    '\\pard',
    '\\par',
    '\\row',
    '\\cell',
    '\\trowd',
    '\\intbl',
    '{\\*',
    '{\\footnote',
    '{\\fonttbl',
    '{\\pict',
    '\\ansicpg99999',
    '\\page',
  ],
  pdf: [
    'obj',
    'endobj',
    'stream\n',
    'endstream',
    '<<',
    '>>',
    '[',
    ']',
    '/',
    '0 R',
    '/Kids',
    '/Count',
    '/Parent',
    '/Length',
    '/Filter',
    '/FlateDecode',
    '/ASCIIHexDecode',
    '/ObjStm',
    '/XRef',
    '/Prev',
    '/Encrypt',
    'BT',
    'ET',
    'Tj',
    'TJ',
    'Tf',
    'Td',
    '(',
    ')',
    'xref',
    'trailer',
    'startxref',
    '1e38',
  ],
  py: ['{', '}', '/*', '*/', '`', '\n', '\t'],
};
