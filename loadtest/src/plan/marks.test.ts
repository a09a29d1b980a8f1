import { expect, test } from 'vitest';
import { readMarks } from './marks.ts';

const zero = Date.parse('2026-11-28T14:15:00Z');

test('marks are lines of a time and a text, or JSON, in any order', () => {
  const file = `# the rehearsal
2026-11-28T15:15:30.250+01:00 kill -9 llm_generator_1
{"offset_ms": 12500, "text": "drain llm_generator_2"}

{"at": "2026-11-28T14:14:00Z", "text": "an earlier run's"}
`;
  expect(readMarks(file, zero)).toEqual({
    marks: [
      { atMs: -60_000, text: "an earlier run's" },
      { atMs: 12_500, text: 'drain llm_generator_2' },
      { atMs: 30_250, text: 'kill -9 llm_generator_1' },
    ],
    problems: [],
  });
});

test('what cannot be read costs nothing but itself', () => {
  const file =
    'soon: kill it\n2026-11-28T14:15:01Z restart\n{"offset_ms": -1, "text": "x"}\n2026-13-99T00 x\n';
  const { marks, problems } = readMarks(file, zero);
  expect(marks).toEqual([{ atMs: 1_000, text: 'restart' }]);
  expect(problems.map((problem) => problem.slice(0, 6))).toEqual(['line 1', 'line 3', 'line 4']);
});
