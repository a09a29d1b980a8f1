import { describe, expect, it } from 'vitest';
import { parseReply } from './ask-redis.ts';
import { isNewEnough, parseVersion } from './find-redis.ts';
import { installPlans } from './install-redis.ts';

describe('the server that is found', () => {
  it.each([
    ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0', '7.0.15'],
    ['Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64', '8.0.1'],
    ['something else', null],
  ])('says its version: %s', (output, version) => expect(parseVersion(output)).toBe(version));

  it('must be Redis 7.0 or Valkey 7.2', () => {
    expect(isNewEnough('redis', '6.2.14')).toBe(false);
    expect(isNewEnough('redis', '7.0.0')).toBe(true);
    expect(isNewEnough('redis', '10.0.0')).toBe(true);
    expect(isNewEnough('valkey', '7.2.5')).toBe(true);
  });
});

describe('parseReply', () => {
  const parse = (text: string) => parseReply(Buffer.from(text), 0);

  it('reads what Redis says', () => {
    expect(parse('+PONG\r\n')).toEqual({ value: 'PONG', end: 7 });
    expect(parse('*2\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n')?.value).toEqual([
      'maxmemory-policy',
      'noeviction',
    ]);
    expect(parse('$-1\r\n')?.value).toBeNull();
    expect(parse('*2\r\n:1\r\n*1\r\n$2\r\nä\r\n')?.value).toEqual([1, ['ä']]);
  });

  it('waits for the rest of a reply', () => {
    const whole = '*2\r\n$3\r\nabc\r\n:12\r\n';
    for (let length = 0; length < whole.length; length += 1) expect(parse(whole.slice(0, length))).toBeNull();
  });

  it('refuses errors, and what is no Redis', () => {
    expect(() => parse('-LOADING Redis is loading the dataset in memory\r\n')).toThrow(/LOADING/);
    expect(() => parse('HTTP/1.1 400 Bad Request\r\n')).toThrow(/not a Redis server/);
  });
});

describe('installing it', () => {
  it('never asks for another user', () => {
    expect(installPlans.flatMap(({ attempts }) => attempts.flat(2))).not.toContain('sudo');
  });
});
