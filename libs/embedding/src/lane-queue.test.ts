import { describe, expect, it } from 'vitest';
import type { Priority } from './embedder.ts';
import { LaneQueue } from './lane-queue.ts';

interface Text {
  name: string;
  priority: Priority;
  tenant: string;
}
const question = (name: string, tenant = ''): Text => ({ name, priority: 'interactive', tenant });
const chunk = (name: string, tenant = ''): Text => ({ name, priority: 'low', tenant });

function filled(...entries: Text[]): LaneQueue<Text> {
  const queue = new LaneQueue<Text>();
  for (const entry of entries) queue.push(entry);
  return queue;
}

function takeAll(queue: LaneQueue<Text>): string[] {
  const names: string[] = [];
  for (let entry = queue.take(); entry !== undefined; entry = queue.take()) names.push(entry.name);
  return names;
}

describe('LaneQueue', () => {
  it('takes questions before chunks, each lane in its order', () => {
    const queue = filled(chunk('c1'), question('q1'), chunk('c2'), question('q2'));
    expect(takeAll(queue)).toEqual(['q1', 'q2', 'c1', 'c2']);
  });

  it('lets tenants take turns within a lane, a text each', () => {
    const loud = Array.from({ length: 6 }, (_, index) => chunk(`l${index + 1}`, 'loud'));
    const queue = filled(...loud.slice(0, 5), chunk('q1', 'quiet'));
    expect(queue.take()?.name).toBe('q1');
    expect(queue.take()?.name).toBe('l1');
    for (const late of [chunk('t1', 'third'), ...loud.slice(5)]) queue.push(late);
    expect(takeAll(queue)).toEqual(['t1', 'l2', 'l3', 'l4', 'l5', 'l6']);
  });

  it('lets the first four of whoever comes while others wait go in a row, and then somebody else', () => {
    const quiet = Array.from({ length: 6 }, (_, index) => chunk(`q${index + 1}`, 'quiet'));
    const queue = filled(chunk('l1', 'loud'), chunk('l2', 'loud'), chunk('l3', 'loud'), ...quiet);
    queue.push(chunk('t1', 'third'));
    expect(takeAll(queue)).toEqual(['q1', 'q2', 'q3', 'q4', 'l1', 'q5', 't1', 'l2', 'q6', 'l3']);
  });

  it('has no turn for a tenant whose texts have left', () => {
    const left = chunk('q1', 'quiet');
    const queue = filled(left, chunk('l1', 'loud'), chunk('l2', 'loud'));
    expect(queue.remove(left)).toBe(true);
    expect(queue.waiting('low')).toBe(2);
    expect(takeAll(queue)).toEqual(['l1', 'l2']);
  });

  it('gives every fourth pick to waiting chunks', () => {
    const questions = Array.from({ length: 7 }, (_, index) => question(`q${index + 1}`));
    const queue = filled(...questions, chunk('c1'), chunk('c2'));
    expect(takeAll(queue)).toEqual(['q1', 'q2', 'q3', 'c1', 'q4', 'q5', 'q6', 'c2', 'q7']);
  });

  it('does not save up turns while no chunk waits', () => {
    const queue = filled(question('q1'), question('q2'), question('q3'), question('q4'));
    queue.take();
    queue.take();
    queue.take();
    queue.push(chunk('c1'));
    expect(takeAll(queue)).toEqual(['q4', 'c1']);
  });

  it('offers no question out of turn to a busy thread', () => {
    const queue = filled(question('q1'), question('q2'), question('q3'), question('q4'), chunk('c1'));
    expect([1, 2, 3].map(() => queue.take('interactive')?.name)).toEqual(['q1', 'q2', 'q3']);
    expect(queue.take('interactive')).toBeUndefined();
    expect(queue.take()?.name).toBe('c1');
    expect(queue.take('interactive')?.name).toBe('q4');
  });

  it('never offers a chunk to a busy thread', () => {
    expect(filled(chunk('c1')).take('interactive')).toBeUndefined();
  });

  it('puts what was given back in front of its lane', () => {
    const queue = filled(question('q1'), question('q2'), chunk('c1'));
    const first = queue.take();
    if (first !== undefined) queue.giveBack(first);
    expect(takeAll(queue)).toEqual(['q1', 'q2', 'c1']);
  });

  it('lets an entry leave from the middle, once', () => {
    const left = question('q2');
    const queue = filled(question('q1'), left, question('q3'));
    expect(queue.remove(left)).toBe(true);
    expect(queue.remove(left)).toBe(false);
    expect(queue.waiting('interactive')).toBe(2);
    expect(takeAll(queue)).toEqual(['q1', 'q3']);
  });

  it('is empty after a drain that returned everything', () => {
    const queue = filled(chunk('c1'), question('q1'));
    expect(queue.drain().map((entry) => entry.name)).toEqual(['q1', 'c1']);
    expect(queue.take()).toBeUndefined();
    expect(queue.waiting('low')).toBe(0);
  });
});
