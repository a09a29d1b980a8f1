import { openSqliteRegistry } from '../src/index.ts';

/** One of several processes that start on the same file at once; run by sqlite-registry.store.test.ts. */
const [file, writer] = process.argv.slice(2);
if (file === undefined || writer === undefined) throw new Error('usage: registry-process.ts FILE NAME');

const registry = openSqliteRegistry({ file });
const tenant = 'default';
await registry.ensureCollection({ tenant, name: 'shared' });
await registry.ensureCollection({ tenant, name: 'contended' });

async function ingest(collection: string, externalId: string, content: string) {
  const begun = await registry.beginVersion({
    tenant,
    collection,
    externalId,
    title: externalId,
    mediaType: 'text/plain',
    jobId: content,
    contentHash: content,
    settingsHash: '',
  });
  const { documentId, version } = begun;
  await registry.publishVersion({
    tenant,
    documentId,
    version,
    textHash: 'x',
    bytes: 1,
    chunks: 1,
    tokens: 1,
  });
}

for (let index = 0; index < 20; index += 1) {
  await ingest('shared', `${writer}-${index}`, `${writer}-${index}`);
  await ingest('contended', 'one', `${writer}-${index}`);
}
await registry.close();
