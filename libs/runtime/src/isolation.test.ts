import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createIsolation } from './isolation.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function twoLanes() {
  const said: string[] = [];
  const lanes = ['a', 'b'].map((name) => {
    const state = { held: 0 };
    const consumer = {
      pause: () => void said.push(`pause ${name}`),
      resume: () => void said.push(`resume ${name}`),
      held: () => state.held,
    };
    return { state, consumer };
  });
  const [a, b] = lanes.map(({ state }) => state) as [{ held: number }, { held: number }];
  const isolation = createIsolation({
    consumers: () => lanes.map(({ consumer }) => consumer),
    giveBackRunning: () => void said.push('give back'),
    patienceMs: 1000,
    aloneMs: 5000,
  });
  const heard = () => said.splice(0);
  const enter = () => isolation.enter(() => void said.push('begin'));
  return { isolation, a, b, heard, enter };
}

test('nobody claims while the others finish; then the suspect begins, and at its end all go on', () => {
  const { isolation, a, b, heard, enter } = twoLanes();
  a.held = 2;
  b.held = 3;
  enter();
  expect(heard()).toEqual(['pause a', 'pause b']);
  vi.advanceTimersByTime(500);
  a.held = 1;
  vi.advanceTimersByTime(400);
  expect([heard(), isolation.isTaken()]).toEqual([[], true]);
  b.held = 0;
  vi.advanceTimersByTime(10);
  expect(heard()).toEqual(['begin']);
  vi.advanceTimersByTime(1000);
  a.held = 0;
  vi.advanceTimersByTime(10);
  expect([heard(), isolation.isTaken()]).toEqual([['resume a', 'resume b'], false]);
});

test('those who take too long go back, once', () => {
  const { a, b, heard, enter } = twoLanes();
  a.held = 1;
  b.held = 1;
  enter();
  vi.advanceTimersByTime(3000);
  expect(heard()).toEqual(['pause a', 'pause b', 'give back']);
  b.held = 0;
  vi.advanceTimersByTime(10);
  expect(heard()).toEqual(['begin']);
});

test('one that lives on is joined by the others; one that went back before it was alone opens the way too', () => {
  const { isolation, a, heard, enter } = twoLanes();
  a.held = 1;
  enter();
  vi.advanceTimersByTime(4900);
  expect(heard().slice(2)).toEqual(['begin']);
  vi.advanceTimersByTime(200);
  expect([heard(), isolation.isTaken()]).toEqual([['resume a', 'resume b'], false]);
  a.held = 0;
  enter();
  vi.advanceTimersByTime(20);
  expect(isolation.isTaken()).toBe(false);
  isolation.stop();
});
