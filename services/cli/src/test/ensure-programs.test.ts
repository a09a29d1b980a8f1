import { expect, test } from 'vitest';
import { typedBy } from '../install-package.ts';
import { installPlansOf, testPrograms } from './ensure-programs.ts';

test.each(testPrograms)(
  '$names.0 is never fetched through sudo, but those who need it are told',
  (wanted) => {
    const plans = installPlansOf(wanted);
    expect(plans.flatMap(({ attempts }) => attempts.flat(2))).not.toContain('sudo');
    const [apt] = plans;
    if (apt === undefined) throw new Error('there is no plan');
    const install = `apt-get install -y --no-install-recommends ${wanted.packages['apt-get']}`;
    expect(typedBy(apt, true)).toBe(`apt-get update && ${install}`);
    expect(typedBy(apt, false)).toBe(`sudo apt-get update && sudo ${install}`);
  },
);
