import { describe, expect, test } from 'vitest';
import { readMetricsText } from '../target/metrics-text.ts';
import { createTargetFigures, isWanted } from './target-figures.ts';

const read = (page: string) => readMetricsText(page, isWanted);

describe('a page of metrics', () => {
  test('gives the wanted series, with their labels; remarks, exemplars, oddities and strangers are passed over', () => {
    const page = `# HELP rag_queue_depth Jobs
rag_queue_depth{queue="job:llm_in",service="gateway"} 7
rag_queue_depth{queue="a\\"b\\\\c}",service="gateway"} 1 # {trace_id="x"} 1
rag_queue_oldest_age_seconds{queue="job:llm_in"} NaN
process_cpu_seconds_total 12.5
http_requests_total{code="200"} 3
hello
`;
    expect(read(page)).toEqual([
      { name: 'rag_queue_depth', labels: { queue: 'job:llm_in', service: 'gateway' }, value: 7 },
      { name: 'rag_queue_depth', labels: { queue: 'a"b\\c}', service: 'gateway' }, value: 1 },
      { name: 'process_cpu_seconds_total', labels: {}, value: 12.5 },
    ]);
  });
});

const first = 'http://a:8000/metrics';
const second = 'http://b:8000/metrics';

describe('the target’s own figures', () => {
  test('what pages know alike is taken once, what each counts is added', () => {
    const figures = createTargetFigures([first, second]);
    const look = (atMs: number, depth: number, counted: number) => {
      for (const [page, more] of [
        [first, 0],
        [second, 1],
      ] as const) {
        const text = `rag_queue_depth{queue="q"} ${depth + more}\nrag_queue_jobs_total{event="retried",service="s"} ${counted}\n`;
        figures.read(page, atMs, read(text));
      }
    };
    look(0, 1, 100);
    look(1000, 5, 103);
    figures.missed(second);
    expect(figures.figures()).toEqual({
      pages: [
        { url: first, read: 2, missed: 0 },
        { url: second, read: 2, missed: 1 },
      ],
      series: [
        {
          name: 'rag_queue_depth',
          label: 'q',
          mean: 4,
          max: 6,
          points: [
            [0, 2],
            [1000, 6],
          ],
        },
      ],
      counters: [{ name: 'rag_queue_jobs_total', labels: { event: 'retried' }, increase: 6 }],
    });
  });

  test('a counter outlives its process, one that appears began at zero, one that stands still is no news', () => {
    const figures = createTargetFigures([first]);
    figures.read(first, 0, read('rag_a_total 100\nrag_still_total 7\n'));
    figures.read(first, 1000, read('rag_a_total 110\nrag_still_total 7\nrag_new_total 2\n'));
    figures.read(first, 2000, read('rag_a_total 4\nrag_still_total 7\nrag_new_total 3\n'));
    expect(figures.figures()?.counters).toEqual([
      { name: 'rag_a_total', labels: {}, increase: 14 },
      { name: 'rag_new_total', labels: {}, increase: 3 },
    ]);
  });

  test('processor time becomes cores in use, each process for itself', () => {
    const figures = createTargetFigures([first]);
    for (const [atMs, seconds] of [
      [0, 10],
      [1000, 10.25],
      [3000, 13.25],
    ] as const) {
      figures.read(first, atMs, read(`process_cpu_seconds_total{service="gateway"} ${seconds}`));
    }
    expect(figures.figures()?.series).toEqual([
      expect.objectContaining({ name: 'cpu_cores', label: 'gateway a:8000', max: 1.5 }),
    ]);
  });

  test('a stranger’s page has none, and no page fills the memory', () => {
    expect(createTargetFigures([first]).figures()).toBeNull();
    const figures = createTargetFigures([first]);
    const many = Array.from(
      { length: 5_000 },
      (_, n) => `rag_queue_depth{queue="${n}"} 1\nrag_x_total{n="${n}"} ${n}`,
    ).join('\n');
    figures.read(first, 0, read(many));
    figures.read(first, 1000, read(many.replaceAll(/} (\d+)$/gm, '} 1$1')));
    expect(figures.figures()?.series).toHaveLength(60);
    expect(figures.figures()?.counters.length).toBeLessThanOrEqual(200);
  });
});
