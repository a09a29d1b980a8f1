import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FoundFile, scanFiles } from './find-files.ts';
import { compare, takeSnapshot, watchFiles } from './watch-files.ts';

let root: string;
let stop: AbortController;
let watching: Promise<void>;
/** `+` told as changed, `-` as gone. */
let told: string[];
let again: readonly FoundFile[];
let beforeLook: () => void;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vortex-watch-'));
  writeFileSync(join(root, 'a.md'), 'one');
  stop = new AbortController();
  told = [];
  again = [];
  beforeLook = () => {};
});
afterEach(async () => {
  stop.abort();
  await watching;
  rmSync(root, { recursive: true, force: true });
});

function start() {
  watching = watchFiles({
    scan: () => {
      beforeLook();
      return scanFiles([root]);
    },
    before: takeSnapshot(scanFiles([root])),
    signal: stop.signal,
    settleMs: 20,
    pollMs: 20,
    onChange: async ({ changed, gone }) => {
      for (const { name } of changed) told.push(`+${name}`);
      for (const { name } of gone) told.push(`-${name}`);
      return again;
    },
  });
}

describe('a watch', () => {
  it('tells a file that is saved by renaming once, and one that goes', async () => {
    start();
    writeFileSync(join(root, '.a.md.swp'), 'two!');
    renameSync(join(root, '.a.md.swp'), join(root, 'a.md'));
    await until('a change is told', () => told.length > 0);
    rmSync(join(root, 'a.md'));
    await until('the second is told', () => told.length > 1);
    expect(told).toEqual(['+a.md', '-a.md']);
  });

  it('finds what is new in new folders', async () => {
    start();
    mkdirSync(join(root, 'new/deep'), { recursive: true });
    writeFileSync(join(root, 'new/deep/b.txt'), 'b');
    await until('a change is told', () => told.length > 0);
    expect(told).toEqual(['+new/deep/b.txt']);
  });

  it('waits for a file that is still being written', async () => {
    let looks = 0;
    let toldAt = 0;
    // Longer at each of the first twenty looks.
    beforeLook = () => {
      looks += 1;
      if (told.length > 0) toldAt ||= looks;
      if (looks <= 20) writeFileSync(join(root, 'slow.md'), 'x'.repeat(looks));
    };
    start();
    await until('a change is told, and another look', () => toldAt > 0);
    expect(told).toEqual(['+slow.md']);
    expect(toldAt).toBeGreaterThan(20);
  });

  it('tells again what was to be told again, although nothing has changed', async () => {
    again = [{ path: join(root, 'a.md'), name: 'a.md' }];
    start();
    writeFileSync(join(root, 'a.md'), 'three');
    await until('it is told again', () => told.length >= 2);
    again = [];
    expect(told.slice(0, 2)).toEqual(['+a.md', '+a.md']);
  });
});

it('knows a file by its bytes and times, not by its name alone', () => {
  watching = Promise.resolve();
  const before = takeSnapshot(scanFiles([root]));
  expect(compare(before, takeSnapshot(scanFiles([root])))).toEqual({ changed: [], gone: [] });
  writeFileSync(join(root, 'a.md'), 'other');
  expect(compare(before, takeSnapshot(scanFiles([root]))).changed.map(({ name }) => name)).toEqual(['a.md']);
});
