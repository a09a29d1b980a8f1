import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyList, keyWithSecret } from '@vortex/contracts';
import { hashSecret, openSqliteRegistry, parseKey, readPepper } from '@vortex/registry';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { addKeyCommands, expiry, limits, timeSpanMs } from './key-commands.ts';
import { CommandProblem } from './problem.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vortex-keys-'));
  vi.stubEnv('DATABASE_URL', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** What `vortex keys …` prints. */
async function keys(...words: string[]): Promise<string> {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addKeyCommands(program);
  const printed: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
  try {
    await program.parseAsync(['keys', ...words, '--data', folder], { from: 'user' });
  } finally {
    log.mockRestore();
  }
  return printed.join('\n');
}

describe('vortex keys, while nothing runs', () => {
  it('makes the first key in the registry of the data folder', async () => {
    const words = [
      '--tenant',
      'shop',
      '--scopes',
      'query,ingest',
      '--collections',
      'a,b',
      '--expires',
      '30d',
    ];
    const made = keyWithSecret.parse(JSON.parse(await keys('create', ...words, '--json')));
    expect(made).toMatchObject({ tenant: 'shop', scopes: ['query', 'ingest'], collections: ['a', 'b'] });
    const days = (Date.parse(made.expires_at ?? '') - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(30);
    const registry = openSqliteRegistry({ file: join(folder, 'registry.db') });
    const { secret = '' } = parseKey(made.key) ?? {};
    const stored = await registry.findKey(made.id);
    await registry.close();
    expect(stored?.secretHash).toBe(hashSecret(await readPepper(folder, null), secret));
  });

  it('takes limits, and shows them as it takes them', async () => {
    const words = ['requests_per_minute=60,burst=5,tokens_per_day=1000', 'documents=7'];
    const made = keyWithSecret.parse(
      JSON.parse(await keys('create', '--scopes', 'query', '--limits', words.join(','), '--json')),
    );
    const bounds = { requests_per_minute: 60, burst: 5, tokens_per_day: 1000, documents: 7 };
    expect(made.limits).toEqual(bounds);
    expect(limits(words.join(', '))).toEqual(bounds);
    expect(await keys('list')).toContain(words.join(','));
    for (const bad of ['requests=1', 'burst', 'burst=', 'bytes=0', 'documents=1e999', '']) {
      expect(() => limits(bad), bad).toThrow('It must be a list');
    }
    expect(() => limits('burst=5')).toThrow('burst needs requests_per_minute');
  });

  it('lists, rotates and revokes them', async () => {
    const made = keyWithSecret.parse(JSON.parse(await keys('create', '--scopes', 'admin', '--json')));
    expect(made).toMatchObject({ tenant: 'default', collections: null, expires_at: null });
    const rotated = keyWithSecret.parse(
      JSON.parse(await keys('rotate', made.id, '--overlap', '0', '--json')),
    );
    expect(rotated.id).toBe(made.id);
    expect(rotated.key).not.toBe(made.key);
    expect(await keys('revoke', made.id)).toBe(`${made.id}: revoked`);
    const [shown] = keyList.parse(JSON.parse(await keys('list', '--json'))).keys;
    expect(shown).toMatchObject({ id: made.id, state: 'revoked' });
    expect(await keys('list')).toContain('revoked');
    await expect(keys('rotate', made.id)).rejects.toThrow(CommandProblem);
    await expect(keys('revoke', 'nobody')).rejects.toThrow('There is no key nobody.');
  });

  it('shows the key to a person once, with what it is for', async () => {
    const shown = await keys('create', '--scopes', 'query', '--name', 'shop');
    expect(shown).toMatch(
      /^vx_[0-9a-f]{16}_[0-9A-Za-z]{43}\n\nFor tenant default; query; all collections; does not expire\./,
    );
    expect(await keys('list')).not.toContain(shown.slice(0, 40));
  });

  it.each([
    ['create'],
    ['create', '--scopes', 'root'],
    ['create', '--scopes', 'query,'],
    ['create', '--scopes', 'query', '--tenant', 'a b'],
    ['create', '--scopes', 'query', '--expires', 'soon'],
    ['create', '--scopes', 'query', '--expires', '2020-01-01T00:00:00Z'],
    ['create', '--scopes', 'admin', '--collections', 'a'],
  ])('refuses %j', async (...words) => {
    await expect(keys(...words)).rejects.toThrow();
  });
});

describe('a time span', () => {
  it.each([
    ['0', 0],
    ['90s', 90_000],
    ['45m', 2_700_000],
    ['12h', 43_200_000],
    ['30d', 2_592_000_000],
  ])('%s is %i ms', (text, ms) => {
    expect(timeSpanMs(text)).toBe(ms);
  });

  it.each(['', 'd', '1', '-1d', '1w', '1.5h'])('%j is none', (text) => {
    expect(() => timeSpanMs(text)).toThrow(/such as/);
  });

  it('may be a time', () => {
    expect(expiry('2999-01-31T08:00:00+01:00')).toBe('2999-01-31T07:00:00.000Z');
  });
});
