import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@vortex/client';
import { demoCollection } from '@vortex/contracts';
import { readDemoDocuments, sendDemoDocuments } from '../demo-documents.ts';

/**
 * The one-shot `documentation` service of docker-compose.yml: Vortex's own pages become the first collection,
 * so that the first question of a fresh stack has something to be answered from. What is there already is
 * answered `unchanged` by the gateway, so no record is kept between runs.
 */
const key = process.env.VORTEX_API_KEY;
const client = createClient({ url: process.argv[2] ?? 'http://gateway:8000', ...(key && { key }) });
const result = await sendDemoDocuments({
  client,
  documents: readDemoDocuments(),
  recordFile: join(tmpdir(), 'vortex-docs.json'),
  place: 'container',
  onProgress: () => undefined,
});
await client.close();
console.log(`${demoCollection}: ${result.sent} documents can be found, ${result.failed.length} failed`);
for (const { path, reason } of result.failed) console.error(`  ${path}: ${reason}`);
process.exitCode = result.failed.length === 0 ? 0 : 1;
