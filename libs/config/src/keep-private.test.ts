import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tightenFolder } from './keep-private.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-private-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const modeOf = (name: string) => statSync(join(folder, name)).mode & 0o777;

it('closes a folder that an earlier version left open, and what lies in it', () => {
  const data = join(folder, 'data');
  mkdirSync(join(data, 'originals'), { recursive: true, mode: 0o755 });
  writeFileSync(join(data, 'registry.db'), '', { mode: 0o644 });
  writeFileSync(join(folder, 'outside'), '', { mode: 0o644 });
  symlinkSync(join(folder, 'outside'), join(data, 'texts'));
  tightenFolder(data);
  expect([modeOf('data'), modeOf('data/originals'), modeOf('data/registry.db')]).toEqual([
    0o700, 0o700, 0o600,
  ]);
  // Whoever made a link decides about what it leads to.
  expect(modeOf('outside')).toBe(0o644);
});

it('takes nothing from others: of a folder that holds more, only what is ours is closed, once it is known for a data folder', () => {
  const shared = join(folder, 'shared');
  for (const name of ['run', 'theirs']) mkdirSync(join(shared, name), { recursive: true, mode: 0o755 });
  const modes = () => ['shared', 'shared/run', 'shared/theirs'].map(modeOf);
  tightenFolder(shared);
  expect(modes()).toEqual([0o755, 0o755, 0o755]);
  writeFileSync(join(shared, 'registry.db'), '', { mode: 0o644 });
  tightenFolder(shared);
  expect([...modes(), modeOf('shared/registry.db')]).toEqual([0o755, 0o700, 0o755, 0o600]);
});

it('leaves a folder that is not there, and is not offended by it', () => {
  expect(() => tightenFolder(join(folder, 'nothing'))).not.toThrow();
});

it('lets a process make nothing that others may read', () => {
  // A process of its own: the mask is one for all of it.
  const program = `
    import { keepPrivate } from ${JSON.stringify(new URL('./keep-private.ts', import.meta.url).href)};
    import { mkdirSync, writeFileSync } from 'node:fs';
    keepPrivate(${JSON.stringify(folder)});
    mkdirSync(${JSON.stringify(join(folder, 'spool'))});
    writeFileSync(${JSON.stringify(join(folder, 'spool/text'))}, '');`;
  execFileSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', program]);
  expect([modeOf('spool'), modeOf('spool/text')]).toEqual([0o700, 0o600]);
});
