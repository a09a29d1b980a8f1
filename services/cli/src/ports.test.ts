import { describe, expect, it } from 'vitest';
import { choosePorts } from './ports.ts';

const always = async () => true;

describe('choosePorts', () => {
  it('keeps the port a name had, unless somebody else listens there', async () => {
    const free = async (port: number) => port !== 21_000;
    const chosen = await choosePorts(['redis', 'encoder'], { redis: 20_500, encoder: 21_000 }, free);
    expect(chosen.redis).toBe(20_500);
    expect(chosen.encoder).not.toBe(21_000);
  });

  it('never gives one port to two names', async () => {
    const rolls = [0.5, 0.5, 0.5, 0.25];
    const chosen = await choosePorts(['a', 'b'], {}, always, () => rolls.shift() ?? 0);
    expect(chosen).toEqual({ a: 26_000, b: 23_000 });
    const inherited = await choosePorts(['a', 'b'], { a: 20_001, b: 20_001 }, always, () => 0.5);
    expect(inherited).toEqual({ a: 20_001, b: 26_000 });
  });

  it('passes over ports that are taken, and gives up in words', async () => {
    const rolls = [0, 0, 0.5];
    const free = async (port: number) => port !== 20_000;
    expect(await choosePorts(['a'], {}, free, () => rolls.shift() ?? 0)).toEqual({ a: 26_000 });
    await expect(choosePorts(['a'], {}, async () => false)).rejects.toThrow(/no free port/);
  });
});
