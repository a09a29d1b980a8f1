import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf } from '@vortex/documents';
import type { Logger } from '@vortex/observability';

/**
 * A living upload brings 256 kB every 120 s or is cut off (body-time.ts); what it brings is written at once, and the
 * files it has finished are touched meanwhile (keep-arrived.ts). A file that nobody has written for seven times that
 * belongs to a gateway that was killed, whoever sweeps: other gateways may be writing into the same folder.
 */
const abandonedAfterMs = 15 * 60_000;
const sweepEveryMs = 5 * 60_000;

/** Sweeps now, and then every five minutes until it is stopped. The timer keeps no process alive. */
export async function startIncomingSweep(
  folder: string,
  log: Logger,
  everyMs = sweepEveryMs,
): Promise<{ stop(): void }> {
  const sweep = () =>
    sweepIncoming(folder, log).catch((error: unknown) =>
      log.warn({ err: error }, 'files of uploads that were cut off could not be removed'),
    );
  await sweep();
  const timer = setInterval(sweep, everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** Removes what killed gateways left in the folder of arriving files. @throws errors of the disk. */
export async function sweepIncoming(folder: string, log: Logger, now = Date.now()): Promise<number> {
  let removed = 0;
  for (const name of await entriesOf(folder)) {
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
