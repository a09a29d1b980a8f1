import { expect, test } from 'vitest';
import { orderOf, residualStage } from '../measure/stage-table.ts';
import { stageClass, stageLabel } from './stage-names.ts';

test.each([
  ['receive', 'st-edge', 'receive'],
  ['cache_lookup', 'st-edge', 'cache lookup'],
  ['shared', 'st-more waits', 'waits for the same question'],
  ['queue_encode', 'st-encode waits', 'waits for encode'],
  ['retry_generate', 'st-generate waits', 'retries of generate'],
  ['generate', 'st-generate', 'generate'],
  ['something_new', 'st-more', 'something new'],
  ['reply', 'st-edge', 'reply'],
  [residualStage, 'st-rest', residualStage],
])('%s looks like %s and is called %s', (stage, name, label) => {
  expect([stageClass(stage), stageLabel(stage)]).toEqual([name, label]);
});

test('the parts stand in the order in which the time was spent', () => {
  const names = ['receive', 'cache_lookup', 'admit', 'queue_encode', 'encode', 'queue_retrieve', 'retrieve'];
  const all = [
    ...names,
    'queue_generate',
    'retry_generate',
    'generate',
    'deliver',
    'reply',
    'unheard_of',
    residualStage,
  ];
  expect([...all].reverse().sort((a, b) => orderOf(a) - orderOf(b))).toEqual(all);
});
