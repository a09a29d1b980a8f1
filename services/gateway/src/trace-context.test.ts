import { describe, expect, it } from 'vitest';
import { childTraceparent } from './trace-context.ts';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const incoming = `00-${trace}-00f067aa0ba902b7-01`;

describe('childTraceparent', () => {
  it('keeps trace and flags and names a new parent', () => {
    const child = childTraceparent(incoming);
    expect(child).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(child).not.toBe(incoming);
  });

  it('reads a later version by its known part', () => {
    expect(childTraceparent(`cc-${trace}-00f067aa0ba902b7-01-what-comes`)).toContain(trace);
  });

  it.each([
    undefined,
    'nonsense',
    `ff-${trace}-00f067aa0ba902b7-01`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace}-00f067aa0ba902b7-01-more`,
    incoming.toUpperCase(),
  ])('starts a new trace for %s', (header) => {
    const fresh = childTraceparent(header);
    expect(fresh).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(fresh).not.toContain(trace);
  });
});
