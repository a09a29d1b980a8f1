import { stat } from 'node:fs/promises';
import type { Metrics } from '@vortex/observability';

/**
 * When the backup last said that it is done, for SnapshotOld. A marker that is not there (yet) is a copy that was never
 * made and shows as 0: absent would keep the alert silent for just those who have none. One that cannot be looked at
 * says nothing new, so what was known stays.
 */
export function watchSnapshots(metrics: Metrics, marker: string): void {
  metrics.beforeScrape(async () => {
    try {
      const { mtimeMs } = await stat(marker);
      metrics.set('rag_index_last_snapshot_timestamp_seconds', {}, mtimeMs / 1000);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        metrics.set('rag_index_last_snapshot_timestamp_seconds', {}, 0);
    }
  });
}
