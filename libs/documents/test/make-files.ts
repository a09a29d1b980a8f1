import { deflateRawSync } from 'node:zlib';
import { zipSync } from 'fflate';

/** Small valid files of the office formats, and a PDF of any number of pages: the tests' own, made in code. */
export function zipOf(parts: Record<string, string | Uint8Array>): Uint8Array {
  return zipSync(
    Object.fromEntries(
      Object.entries(parts).map(([name, part]) => {
        const bytes = typeof part === 'string' ? Buffer.from(part) : part;
        // Where a format has a `mimetype`, it is the one entry that must not be compressed.
        return [name, [bytes, { level: name === 'mimetype' ? 0 : 6 }]];
      }),
    ),
  );
}

const contentTypes =
  '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>';
const relations = (type: string, target: string) =>
  `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/${type}" Target="${target}"/></Relationships>`;

/** `body` is what stands in `w:body`; `prolog` in front of the document element. */
export function docxOf(
  body: string,
  more: Record<string, string | Uint8Array> = {},
  prolog = '',
): Uint8Array {
  return zipOf({
    '[Content_Types].xml': contentTypes,
    '_rels/.rels': relations('officeDocument', 'word/document.xml'),
    'word/document.xml': `<?xml version="1.0"?>${prolog}<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>${body}</w:body></w:document>`,
    ...more,
  });
}

export const paragraph = (text: string) => `<w:p><w:r><w:t xml:space="preserve">${text}</w:t></w:r></w:p>`;

export function xlsxOf(sheet: string, more: Record<string, string> = {}): Uint8Array {
  return zipOf({
    '[Content_Types].xml': contentTypes,
    '_rels/.rels': relations('officeDocument', 'xl/workbook.xml'),
    'xl/workbook.xml':
      '<workbook xmlns:r="r"><sheets><sheet name="Prices" sheetId="1" r:id="rId1"/></sheets></workbook>',
    'xl/_rels/workbook.xml.rels': relations('worksheet', 'worksheets/sheet1.xml'),
    'xl/worksheets/sheet1.xml': `<worksheet><sheetData>${sheet}</sheetData></worksheet>`,
    ...more,
  });
}

/** A PDF with one line of Helvetica for each text of a page. */
export function pdfOf(pages: readonly (readonly string[])[]): Buffer {
  const objects: string[] = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, at) => `${4 + at * 2} 0 R`).join(' ')}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ];
  for (const [at, lines] of pages.entries()) {
    const shown = lines.map((line) => `(${line.replace(/[()\\]/g, '\\$&')}) Tj 0 -14 Td`).join('\n');
    const content = lines.length === 0 ? '' : `BT /F1 12 Tf 72 720 Td\n${shown}\nET`;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents ${5 + at * 2} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
      `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    );
  }
  let position = 9;
  const offsets: number[] = [];
  const parts = ['%PDF-1.4\n'];
  for (const [at, object] of objects.entries()) {
    const part = `${at + 1} 0 obj\n${object}\nendobj\n`;
    offsets.push(position);
    parts.push(part);
    position += Buffer.byteLength(part);
  }
  const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  parts.push(
    `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${position}\n%%EOF\n`,
  );
  return Buffer.from(parts.join(''), 'latin1');
}

/** A zip whose one entry unpacks to `bytes` zeros but claims to unpack to almost nothing. */
export function lyingBomb(name: string, bytes: number, rest: Record<string, string>): Buffer {
  const packed = deflateRawSync(Buffer.alloc(bytes, ' '), { level: 9 });
  const honest = Buffer.from(zipOf({ ...rest, [name]: new Uint8Array(0) }));
  // Put together by hand: one more local entry in front, and the directory moved behind it.
  const end = honest.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const start = honest.readUInt32LE(end + 16);
  const nameBytes = Buffer.from(name);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(20, 4);
  local.writeUInt16LE(8, 8);
  local.writeUInt32LE(packed.length, 18);
  local.writeUInt32LE(10, 22);
  local.writeUInt16LE(nameBytes.length, 26);
  const inserted = Buffer.concat([local, nameBytes, packed]);
  const directory = Buffer.from(honest.subarray(start, end));
  for (let at = 0; at < directory.length; ) {
    const length = directory.readUInt16LE(at + 28);
    if (directory.toString('utf8', at + 46, at + 46 + length) === name) {
      directory.writeUInt16LE(8, at + 10);
      directory.writeUInt32LE(packed.length, at + 20);
      directory.writeUInt32LE(10, at + 24);
      directory.writeUInt32LE(start, at + 42);
    }
    at += 46 + length + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  const tail = Buffer.from(honest.subarray(end));
  tail.writeUInt32LE(start + inserted.length, 16);
  return Buffer.concat([honest.subarray(0, start), inserted, directory, tail]);
}
