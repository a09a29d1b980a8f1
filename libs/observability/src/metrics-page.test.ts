import { join } from 'node:path';
import { expect, it } from 'vitest';
import { metricsPage } from './metrics-page.ts';

it('docs/09-metrics.md says what the table says (vitest -u writes it anew)', async () => {
  const page = join(import.meta.dirname, '../../../docs/09-metrics.md');
  await expect(metricsPage()).toMatchFileSnapshot(page);
});
