import { silentLogger } from '@vortex/observability';
import { describe, expect, it } from 'vitest';
import { createReleaseStack } from './release-stack.ts';

describe('createReleaseStack', () => {
  it('releases last in, first out, one after the other', async () => {
    const stack = createReleaseStack(silentLogger);
    const order: string[] = [];
    stack.push('first', () => order.push('first'));
    stack.push('second', async () => {
      order.push('second begins');
      await Promise.resolve();
      order.push('second ends');
    });
    expect(await stack.releaseAll()).toBe(true);
    expect(order).toEqual(['second begins', 'second ends', 'first']);
  });

  it('goes on after a release that throws, and says so', async () => {
    const stack = createReleaseStack(silentLogger);
    let released = 0;
    stack.push('kept', () => {
      released += 1;
    });
    stack.push('broken', () => Promise.reject(new Error('busy')));
    expect(await stack.releaseAll()).toBe(false);
    expect(released).toBe(1);
  });

  it('hurries those that can be hurried, while one of them is being released', async () => {
    const stack = createReleaseStack(silentLogger);
    const drained = Promise.withResolvers<void>();
    const order: string[] = [];
    stack.push('quick', () => order.push('quick'));
    stack.push('slow', () => drained.promise.then(() => order.push('slow')), drained.resolve);
    const released = stack.releaseAll();
    expect(order).toEqual([]);
    stack.hurry();
    expect(await released).toBe(true);
    expect(order).toEqual(['slow', 'quick']);
  });

  it('runs each release once, however often it is asked', async () => {
    const stack = createReleaseStack(silentLogger);
    let released = 0;
    stack.push('counted', () => {
      released += 1;
    });
    await Promise.all([stack.releaseAll(), stack.releaseAll()]);
    expect(released).toBe(1);
  });
});
