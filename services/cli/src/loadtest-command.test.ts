import { expect, test } from 'vitest';
import { withAddress } from './loadtest-command.ts';
import { CommandProblem } from './problem.ts';

test('the words go to the load tester as they are', () => {
  expect(withAddress(['--requests', '50', '--url', 'http://a'])).toEqual([
    '--requests',
    '50',
    '--url',
    'http://a',
  ]);
  expect(withAddress(['compare', 'a', 'b'])).toEqual(['compare', 'a', 'b']);
});

test('a data folder on which nothing runs is told so', () => {
  expect(() => withAddress(['--data', '/nowhere/at/all'])).toThrow(CommandProblem);
  expect(() => withAddress(['--seed', '2', '--data'])).toThrow('needs a folder');
});
