import { expect, test } from 'vitest';
import { typedBy } from '../install-package.ts';
import { testPrograms } from './ensure-programs.ts';

test.each(testPrograms)(
  '$name is never fetched through sudo, but those who need it are told',
  ({ name, plans }) => {
    expect(plans.flatMap(({ attempts }) => attempts.flat(2))).not.toContain('sudo');
    const [apt] = plans;
    if (apt === undefined) throw new Error('there is no plan');
    const install = `apt-get install -y --no-install-recommends ${name}`;
    expect(typedBy(apt, true)).toMatch(`apt-get update && ${install}`);
    expect(typedBy(apt, false)).toMatch(`sudo apt-get update && sudo ${install}`);
  },
);
