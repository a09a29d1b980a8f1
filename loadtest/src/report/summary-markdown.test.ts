import { expect, test } from 'vitest';
import { exampleRun } from '../fixtures/example-run.ts';
import { summaryMarkdown } from './summary-markdown.ts';

const { summary } = exampleRun();

test('opens with the run in a sentence, then the table with the labels people know', () => {
  const text = summaryMarkdown(summary);
  expect(text.split('\n')[0]).toBe('# 33.1 answers a second, P99 1.32 s, 27 of 695 failed');
  const labels = [...text.matchAll(/^\| ([A-Z]\w+(?: \w+)?) \| [^|]+ \|$/gm)].map(([, name]) => name);
  expect(labels).toEqual([
    ...[
      'Total Duration',
      'Total Requests',
      'Successful',
      'Failed',
      'Min',
      'P50',
      'P95',
      'P99',
      'Max',
      'Average',
    ],
    'Throughput',
  ]);
  expect(text).toContain('| Failed | 27 (3.9 %) |');
  expect(text).toMatch(
    /^\| 1 \| 12\.0 s \| the retriever was stopped for 1\.5 s \| .* as before after .* s \|$/m,
  );
  expect(text).toContain('| rag_queue_depth | job:retriever_in | 2.04 | 41.00 |');
  expect(text).toContain('| waits for retrieve | 1.6 ms | 1.08 s | 0.7 % | 77 % |');
  expect(text).toContain('| err&lt;1% | 3.9 % | \\*\\*missed\\*\\* |'.replaceAll('\\*', '*'));
});

test('what a server said stays text, in its cell', () => {
  const error = 'a|b\n<img src=x> ![i](http://x) `c`';
  const text = summaryMarkdown({
    ...summary,
    errors: [{ outcome: 'server_error', status: 500, error, count: 1 }],
    run: { ...summary.run, invalid: ['sent | half'] },
  });
  expect(text).toContain('| server_error | 500 | a\\|b &lt;img src=x> \\!\\[i\\](http://x) \\`c\\` | 1 |');
  expect(text).toContain('do not mean what was asked for:** sent \\| half');
});
