import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { countRuns, type LedgerEntry, ledgerLine, readLedger, redeliveryDelays } from './ledger.ts';

const folder = mkdtempSync(join(tmpdir(), 'vortex-ledger-'));
afterAll(() => rmSync(folder, { recursive: true }));

const entry = (id: string, pid: number, event: 'begin' | 'end', atMs: number): LedgerEntry => ({
  id,
  stage: 'encode',
  pid,
  event,
  atMs,
});

test('what several workers wrote is read in the order of time, without the line that a death cut short', () => {
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  writeFileSync(one, `${ledgerLine(entry('a', 1, 'begin', 30))}b enco`);
  writeFileSync(two, ledgerLine(entry('c', 2, 'begin', 20)));
  expect(readLedger([one, two])).toEqual([entry('c', 2, 'begin', 20), entry('a', 1, 'begin', 30)]);
});

test('a run that was begun again is counted, and so is one that was done twice', () => {
  const begunAgain = [entry('a', 1, 'begin', 0), entry('a', 2, 'begin', 5), entry('a', 2, 'end', 6)];
  expect(countRuns(begunAgain)).toEqual({ runs: 2, repeated: 1, finishedTwice: 0 });
  expect(countRuns([...begunAgain, entry('a', 1, 'end', 9)])).toMatchObject({ finishedTwice: 1 });
  expect(countRuns([entry('a', 1, 'begin', 0), entry('b', 1, 'begin', 0)])).toMatchObject({ repeated: 0 });
});

test('redelivery is the time from a kill to the next beginning of what the victim had in hand', () => {
  const entries = [
    entry('done', 1, 'begin', 0),
    entry('done', 1, 'end', 10),
    entry('cut', 1, 'begin', 20),
    entry('cut', 2, 'begin', 9020),
    entry('other', 2, 'begin', 30),
  ];
  expect(redeliveryDelays(entries, [{ pid: 1, atMs: 25 }])).toEqual([8995]);
  expect(redeliveryDelays(entries, [{ pid: 7, atMs: 25 }])).toEqual([]);
});
