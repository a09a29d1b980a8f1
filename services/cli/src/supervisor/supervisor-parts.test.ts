import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { restartDelayMs } from './backoff.ts';
import { identityOf, isAlive, residentBytes, signal } from './process-identity.ts';
import { rotateLog } from './rotate-log.ts';
import { readRunFile } from './run-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-parts-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('restartDelayMs', () => {
  it('doubles from 0.2 s and ends at 5 s', () => {
    expect([0, 1, 2, 3, 4, 5, 1000].map(restartDelayMs)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000]);
  });
});

describe('rotateLog', () => {
  it('keeps one old part and starts again at zero', () => {
    const file = join(folder, 'encoder.log');
    writeFileSync(file, 'old'.repeat(10));
    expect(rotateLog(file, 100)).toBe(false);
    expect(rotateLog(file, 20)).toBe(true);
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('old'.repeat(10));
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  it('passes over a log that is not there', () => {
    expect(rotateLog(join(folder, 'none.log'), 1)).toBe(false);
    expect(existsSync(join(folder, 'none.log.1'))).toBe(false);
  });
});

describe('process identity', () => {
  it('knows this very process, and no other under its pid', () => {
    const self = identityOf(process.pid);
    if (self === null) throw new Error('this process is not known');
    expect(isAlive(self)).toBe(true);
    const predecessor = { ...self, started: `${self.started}0` };
    expect(isAlive(predecessor)).toBe(false);
    expect(signal(predecessor, 'SIGKILL')).toBe(false);
  });

  it('says unknown of a process that is not there', () => {
    const nobody = 2 ** 22 + 1;
    expect(identityOf(nobody)).toBeNull();
    expect(residentBytes(nobody)).toBeNull();
    expect(residentBytes(process.pid)).toBeGreaterThan(10_000_000);
  });
});

describe('readRunFile', () => {
  it.each([
    ['half a file', '{"version": 1, "superv'],
    ['another version', '{"version": 2, "supervisor": {"pid": 1, "started": "a"}, "processes": []}'],
    ['no pid', '{"version": 1, "supervisor": {"started": "a"}, "processes": []}'],
    [
      'a broken process',
      '{"version": 1, "supervisor": {"pid": 1, "started": "a"}, "processes": [{"identity": 4}]}',
    ],
  ])('takes %s for none', (_, content) => {
    const file = join(folder, 'vortex.json');
    writeFileSync(file, content);
    expect(readRunFile(file)).toBeNull();
  });
});
