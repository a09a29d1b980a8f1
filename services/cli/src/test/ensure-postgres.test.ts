import { describe, expect, it } from 'vitest';
import { typedBy } from '../install-package.ts';
import { postgresPlans } from './ensure-postgres.ts';

describe('the way to a PostgreSQL for the tests', () => {
  it('never goes through sudo by itself, but says so to those who need it', () => {
    expect(postgresPlans.flatMap(({ attempts }) => attempts.flat(2))).not.toContain('sudo');
    const [apt] = postgresPlans;
    if (apt === undefined) throw new Error('there is no plan');
    expect(typedBy(apt, true)).toBe(
      'apt-get update && apt-get install -y --no-install-recommends postgresql',
    );
    expect(typedBy(apt, false)).toBe(
      'sudo apt-get update && sudo apt-get install -y --no-install-recommends postgresql',
    );
  });
});
