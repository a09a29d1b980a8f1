import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnreadableDataset } from '../bench/dataset.ts';
import { readJudgements } from './read-judgements.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-judgements-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('judgements', () => {
  it.each([
    ['qrels.tsv', 'query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n\nq2\td1\t1\n'],
    ['qrels/test.tsv', 'q1\td1\t2\r\nq1\td2\t0\r\nq2\td1\t1'],
  ])('are read from %s', (place, content) => {
    mkdirSync(join(folder, 'qrels'));
    writeFileSync(join(folder, place), content);
    expect(readJudgements(folder)).toEqual(
      new Map([
        [
          'q1',
          new Map([
            ['d1', 2],
            ['d2', 0],
          ]),
        ],
        ['q2', new Map([['d1', 1]])],
      ]),
    );
  });

  it.each([
    ['q1\td1\t1\nq1 d2 1\n', /qrels\.tsv:2 is no line/],
    ['q1\td1\t1\nq1\td2\tmany\n', /qrels\.tsv:2/],
    ['q1\t0\td2\t1\n', /qrels\.tsv:1/],
  ])('%j are refused with their line', (content, message) => {
    writeFileSync(join(folder, 'qrels.tsv'), content);
    expect(() => readJudgements(folder)).toThrow(message);
    expect(() => readJudgements(folder)).toThrow(UnreadableDataset);
  });

  it('must be there', () => {
    expect(() => readJudgements(folder)).toThrow(
      /has no judgements: neither qrels\.tsv nor qrels\/test\.tsv/,
    );
  });
});
