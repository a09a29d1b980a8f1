import { describe, expect, it } from 'vitest';
import { isLoopback, mayListen } from './may-listen.ts';

describe('listening', () => {
  it.each(['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost'])('%s is this machine only', (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(mayListen({ mode: 'auto', host, hasKeys: false })).toBe(true);
  });

  it.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'vortex.example',
    '128.0.0.1',
    '127.0.0.1.example',
    '::ffff:10.0.0.1',
  ])('on %s needs a key, or somebody who says that it is meant', (host) => {
    expect(isLoopback(host)).toBe(false);
    expect(mayListen({ mode: 'auto', host, hasKeys: false })).toBe(false);
    expect(mayListen({ mode: 'auto', host, hasKeys: true })).toBe(true);
    expect(mayListen({ mode: 'open', host, hasKeys: false })).toBe(true);
    expect(mayListen({ mode: 'required', host, hasKeys: false })).toBe(true);
  });
});
