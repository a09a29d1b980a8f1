import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@vortex/observability';

/** Longer than any upload takes: what is older belongs to a gateway that was killed. */
const abandonedAfterMs = 24 * 3_600_000;

/** Removes what killed gateways left in the folder of arriving files. Other gateways may be writing into it. */
export async function sweepIncoming(folder: string, log: Logger, now = Date.now()): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    const file = join(folder, name);
    // Gone in between: its upload has ended.
    const found = await stat(file).catch(() => null);
    if (found === null || now - found.mtimeMs < abandonedAfterMs) continue;
    await rm(file, { force: true });
    removed += 1;
  }
  if (removed > 0) log.info({ files: removed }, 'removed files of uploads that were cut off');
  return removed;
}
