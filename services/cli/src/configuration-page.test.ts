import { join } from 'node:path';
import { describeSettings } from '@vortex/config';
import { describe, expect, it } from 'vitest';
import { configurationPage } from './configuration-page.ts';
import { repositoryRoot } from './folders.ts';

describe('docs/03-configuration.md', () => {
  it('says what the schemas say (vitest -u writes it anew)', async () => {
    await expect(configurationPage()).toMatchFileSnapshot(
      join(repositoryRoot, 'docs', '03-configuration.md'),
    );
  });

  it('has a row for every setting', () => {
    const page = configurationPage();
    for (const { section, key } of describeSettings())
      expect(page).toMatch(new RegExp(`^\\| \`${section}\\.${key}\` `, 'm'));
  });
});
