import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFiles, scanFiles } from './find-files.ts';

const root = mkdtempSync(join(tmpdir(), 'vortex-find-'));
beforeAll(() => {
  for (const path of [
    'notes/a.md',
    'notes/deep/b.PDF',
    'notes/deep/picture.png',
    'notes/.hidden/c.md',
    'notes/.d.md',
    'notes/node_modules/e.md',
    'notes/deep/program.ts',
    'other/a.md',
    'blob.bin',
  ]) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), 'x');
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const at = (...paths: string[]) => paths.map((path) => join(root, path));
const namesOf = (...paths: string[]) =>
  findFiles(at(...paths))
    .map(({ name }) => name)
    .sort();

describe('what is read', () => {
  it('below a folder: formats we know, nothing hidden, named from the folder on', () => {
    expect(namesOf('notes')).toEqual(['a.md', 'deep/b.PDF', 'deep/program.ts']);
  });

  it('a file named by hand, whatever it is', () => {
    expect(namesOf('blob.bin', 'notes/.d.md')).toEqual(['.d.md', 'blob.bin']);
  });

  it('a pattern that the shell left alone, named from its first fixed folder on', () => {
    expect(namesOf('notes/**/*.{md,PDF}')).toEqual(['a.md', 'deep/b.PDF']);
    expect(namesOf('no*')).toEqual(['notes/a.md', 'notes/deep/b.PDF', 'notes/deep/program.ts']);
  });

  it('links to files below a folder, and no link to a folder, which may lead back up', () => {
    const [folder = ''] = at('linked');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'a.md'), 'x');
    symlinkSync('../../other/a.md', join(folder, 'deep/b.md'));
    symlinkSync('..', join(folder, 'deep/up'));
    symlinkSync('../notes', join(folder, 'notes'));
    symlinkSync('itself.md', join(folder, 'itself.md'));
    symlinkSync('nowhere', join(folder, 'dangling.md'));
    expect(namesOf('linked')).toEqual(['a.md', 'deep/b.md']);
    expect(namesOf('linked/**/*')).toEqual(['a.md', 'deep/b.md']);
    expect(namesOf('linked/notes')).toEqual(['a.md', 'deep/b.PDF', 'deep/program.ts']);
    rmSync(folder, { recursive: true });
  });

  it('a file once, however often it is named', () => {
    expect(findFiles(at('notes', 'notes/deep', 'notes/a.md'))).toHaveLength(3);
  });

  it('nothing at all when a name leads nowhere, or two files would be one document', () => {
    expect(() => findFiles(at('notes', 'none'))).toThrow('none');
    expect(() => findFiles(at('none/*.md'))).toThrow('No file to read');
    expect(() => findFiles(at('notes/a.md', 'other/a.md'))).toThrow('both be the document a.md');
    expect(findFiles(at('none/*.md'), { mayBeEmpty: true })).toEqual([]);
  });

  it('what is left, when a file goes meanwhile', () => {
    expect(scanFiles(at('gone', 'notes/a.md')).map(({ name }) => name)).toEqual(['a.md']);
  });
});
