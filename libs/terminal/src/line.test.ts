import { expect, test } from 'vitest';
import { bar, sparkline } from './chart.ts';
import { alignColumns } from './columns.ts';
import { clipLine, paint, span, spread, textOf } from './line.ts';
import { amount, duration, perSecond } from './quantity.ts';
import { widthOf } from './text.ts';

test('a line is cut across its parts, and keeps their styles', () => {
  const line = [span('漢字', 'bold'), ' and ', span('more', 'red')];
  for (let columns = 0; columns <= 14; columns += 1) {
    expect(widthOf(textOf(clipLine(line, columns)))).toBeLessThanOrEqual(columns);
  }
  expect(textOf(clipLine(line, 13))).toBe('漢字 and more');
  expect(textOf(clipLine(line, 12))).toBe('漢字 and mo…');
  expect(textOf(clipLine(line, 9))).toBe('漢字 and…');
  expect(textOf(clipLine(line, 4))).toBe('漢…');
  expect(paint([span('x', 'bold')], { colour: true })).toBe('\x1b[1mx\x1b[22m');
  expect(paint([span('x\x1b[2J', 'bold')], { colour: false })).toBe('x');
});

test('two ends of a line: the left one gives way', () => {
  expect(textOf(spread(['left'], ['right'], 12))).toBe('left   right');
  expect(textOf(spread(['much too long'], ['right'], 12))).toBe('much … right');
});

const rows = [
  { name: '長い名前の複製', url: 'http://10.0.0.1:8080', load: 3 },
  { name: 'b', url: 'http://10.0.0.2:8080', load: 12 },
];
const columns = [
  { title: 'NAME', cell: ({ name }: (typeof rows)[number]) => name, least: 6 },
  { title: 'URL', cell: ({ url }: (typeof rows)[number]) => span(url, 'dim'), drop: 9 },
  {
    title: 'LOAD',
    cell: ({ load }: (typeof rows)[number]) => String(load),
    align: 'right' as const,
    drop: 1,
  },
];

test('columns are aligned whatever the letters take', () => {
  const { heading, lines } = alignColumns(columns, rows, 60);
  expect([heading, ...lines].map(textOf)).toEqual([
    'NAME            URL                   LOAD',
    '長い名前の複製  http://10.0.0.1:8080     3',
    'b               http://10.0.0.2:8080    12',
  ]);
});

test('ornaments go first, then texts are cut, then columns go', () => {
  expect(alignColumns(columns, rows, 20).lines.map(textOf)).toEqual([
    '長い名前の複製     3',
    'b                 12',
  ]);
  expect(alignColumns(columns, rows, 14).lines.map(textOf)).toEqual(['長い名…      3', 'b           12']);
  expect(alignColumns(columns, rows, 8).lines.map(textOf)).toEqual(['長い名…', 'b']);
  for (let width = 0; width < 60; width += 1) {
    const { heading, lines } = alignColumns(columns, rows, width);
    for (const line of [heading, ...lines]) expect(widthOf(textOf(line))).toBeLessThanOrEqual(width);
  }
});

test('bars fill exactly their columns; a trend tells nothing from zero', () => {
  expect([0, 0.5, 1, 7, Number.NaN].map((part) => bar(part, 4))).toEqual([
    '····',
    '██··',
    '████',
    '████',
    '····',
  ]);
  expect(bar(0.3, 4)).toBe('█▎··');
  expect(sparkline([null, 0, 1, 4, 8], 6)).toBe('  ▁▂▅█');
  expect(sparkline([1, 2, 3], 2)).toBe('▆█');
  expect(sparkline([0, 0], 2)).toBe('▁▁');
});

test('figures have three digits, and what is unknown is no zero', () => {
  expect(
    [null, 0, 9.94, 9.96, 999.4, 999.6, 59_940, 60_000, 3_599_600, 11_400_000, 2e8].map(duration),
  ).toEqual([
    ...[
      '–',
      '0.0 ms',
      '9.9 ms',
      '10 ms',
      '999 ms',
      '1.00 s',
      '59.9 s',
      '1 min 0 s',
      '1 h 0 min',
      '3 h 10 min',
      '2 d',
    ],
  ]);
  expect([null, 0, 12.34, 138.2].map(perSecond)).toEqual(['–', '0.0', '12.3', '138']);
  expect([null, 0, 9999, 12_345, 4_500_000].map(amount)).toEqual(['–', '0', '9999', '12.3k', '4.5M']);
});
