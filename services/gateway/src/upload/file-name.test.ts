import { describe, expect, it } from 'vitest';
import { fileNameOf } from './file-name.ts';

describe('fileNameOf', () => {
  it.each([
    ['report.pdf', 'report.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\me\\report.pdf', 'report.pdf'],
    ['a/b\\..\\c.txt', 'c.txt'],
    ['tab\there\0.txt', 'tabhere.txt'],
    ['Cafe\u0301.md', 'Café.md'],
    ['\u202Efdp.exe', 'fdp.exe'],
    ['👩‍🚀 年報.docx', '👩‍🚀 年報.docx'],
    ['in\u200bvoice\u{e0041}\u2066.pdf', 'invoice.pdf'],
    ['.env', '.env'],
    ['a\ud83d.md', 'a\ufffd.md'],
  ])('%j is called %j', (sent, name) => {
    expect(fileNameOf(sent)).toBe(name);
  });

  it.each(['', ' ', '..', 'folder/', '\0', 'x/..'])('of %j nothing is left', (sent) => {
    expect(fileNameOf(sent)).toBeNull();
  });

  it('cuts to 255 bytes at a character and keeps the ending', () => {
    const name = fileNameOf(`${'é'.repeat(400)}.markdown`) ?? '';
    expect(name).toMatch(/^é+\.markdown$/);
    expect(Buffer.byteLength(name)).toBeGreaterThan(252);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(fileNameOf(`a.${'b'.repeat(400)}`)).toHaveLength(255);
  });
});
