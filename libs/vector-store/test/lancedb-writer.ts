import { createLogger } from '@vortex/observability';
import { document } from '../src/conformance.ts';
import { openLanceStore } from '../src/lancedb-store.ts';

/**
 * A process that writes groups of eight rows until it is killed, and says after each which document is
 * stored. `node lancedb-writer.ts DIR`, with fast upkeep, so that the kill also hits compaction.
 */
const [dir = ''] = process.argv.slice(2);
const scope = { tenant: 'default', collection: 'killed' };
const log = createLogger({ service: 'test', level: 'silent' });
const store = await openLanceStore({ dir, log, limits: { tidyAtCommits: 4, keepVersionsMs: 0 } });
await store.ensureCollection(scope, { dimension: 48, modelFingerprint: 'test-model@1' });
for (let number = 0; ; number += 1) {
  await store.upsert(scope, document(`doc-${number}`, 1, 8));
  process.stdout.write(`${number}\n`);
}
