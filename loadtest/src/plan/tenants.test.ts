import { describe, expect, test } from 'vitest';
import { numberedTenants, readTenants } from './tenants.ts';

describe('tenants', () => {
  test('are pairs between commas or one a line; a key may hold "="', () => {
    const acme = { name: 'acme', key: 'vx_1_abc==' };
    const beta = { name: 'beta-2', key: 'vx_2_def' };
    expect(readTenants('acme=vx_1_abc==, beta-2=vx_2_def')).toEqual([acme, beta]);
    expect(readTenants('# for the rehearsal\nacme=vx_1_abc==\n\nbeta-2 = vx_2_def\n')).toEqual([acme, beta]);
    expect(numberedTenants(['a', 'b'])).toEqual([
      { name: 'tenant-1', key: 'a' },
      { name: 'tenant-2', key: 'b' },
    ]);
  });

  test.each([
    ['', /at least one/],
    ['secret', /pair 1 must look like/],
    ['acme=', /pair 1/],
    ['ok=k,=secret', /pair 2/],
    ['a b=secret', /pair 1/],
    ['acme=se cret', /pair 1/],
    ['acme=secret,acme=other', /two tenants called acme/],
  ])('%j is refused, and no key is repeated', (text, message) => {
    let said = '';
    try {
      readTenants(text);
    } catch (error) {
      said = String(error);
    }
    expect(said).toMatch(message);
    expect(said).not.toContain('secret');
  });
});
