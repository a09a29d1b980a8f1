import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '@vortex/observability';
import { afterEach, expect, test } from 'vitest';
import { watchSnapshots } from './snapshot-gauge.ts';

const folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the age of the marker is shown as it is at each scrape; one that was never there is as old as can be', async () => {
  const marker = join(folder, 'done');
  const metrics = createMetrics('ingest', { enabled: true });
  watchSnapshots(metrics, marker);
  const shown = async () =>
    /^rag_index_last_snapshot_timestamp_seconds\S* (\S+)$/m.exec((await metrics.render()).body)?.[1];
  expect(await shown()).toBe('0');
  writeFileSync(marker, '');
  utimesSync(marker, 1_000, 1_800_000_000);
  expect(await shown()).toBe('1800000000');
  utimesSync(marker, 1_000, 1_800_086_400);
  expect(await shown()).toBe('1800086400');
});
