import type { AnswerFrameBody } from '@vortex/contracts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sourcesFor } from './__fixtures__/sources.ts';
import { CitationFilter } from './citations.ts';
import { DeltaBuffer } from './delta-buffer.ts';

let frames: AnswerFrameBody[];
let buffer: DeltaBuffer;
const texts = () => frames.map((frame) => (frame.kind === 'delta' ? frame.text : frame.kind));

beforeEach(() => {
  vi.useFakeTimers();
  frames = [];
  buffer = new DeltaBuffer((frame) => frames.push(frame));
});
afterEach(() => {
  vi.useRealTimers();
});

test('the first piece goes at once, the next ones together after 30 ms', () => {
  for (const piece of ['Two', ' years', ' from', ' delivery']) buffer.add(piece, []);
  expect(texts()).toEqual(['Two']);
  vi.advanceTimersByTime(29);
  expect(texts()).toEqual(['Two']);
  vi.advanceTimersByTime(1);
  expect(texts()).toEqual(['Two', ' years from delivery']);
  vi.advanceTimersByTime(1000);
  expect(frames).toHaveLength(2);
});

test('much text does not wait', () => {
  buffer.add('Two', []);
  buffer.add('x'.repeat(256), []);
  expect(frames).toHaveLength(2);
});

test('a citation follows the text that holds its mark', () => {
  const checked = new CitationFilter(sourcesFor(['a'])).push('Red [1]');
  buffer.add('It is', []);
  buffer.add(checked.text, checked.citations);
  buffer.flush();
  expect(texts()).toEqual(['It is', 'Red [1]', 'citation']);
});

test('what is discarded is never sent', () => {
  buffer.add('', []);
  expect(buffer.started).toBe(false);
  buffer.add('Two', []);
  buffer.add(' years', []);
  buffer.discard();
  vi.advanceTimersByTime(1000);
  buffer.flush();
  expect(texts()).toEqual(['Two']);
});
