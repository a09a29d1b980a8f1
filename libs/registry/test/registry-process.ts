import { openSqliteRegistry } from '../src/index.ts';

/** One of several processes that start on the same file at once; run by sqlite-registry.store.test.ts. */
const [file, writer] = process.argv.slice(2);
if (file === undefined || writer === undefined) throw new Error('usage: registry-process.ts FILE NAME');

const registry = openSqliteRegistry({ file });
const tenant = 'default';

async function ingest(collection: string, externalId: string, content: string) {
  const answer = await registry.acceptDocuments([
    {
      ...{ tenant, collection, externalId, filename: externalId, title: externalId, mediaType: 'text/plain' },
      ...{ metadata: {}, contentHash: content, settingsHash: '', bytes: 1, ifExists: 'replace' },
      job: {
        ...{ id: `job_${collection}_${content}`, type: 'ingest', payload: {}, maxRetries: 0 },
        ...{ webhookUrl: null, traceparent: null },
      },
    },
  ]);
  const accepted = answer.outcome === 'accepted' ? answer.documents[0] : undefined;
  if (accepted === undefined) throw new Error(`not accepted: ${answer.outcome}`);
  const { documentId, version } = accepted;
  const claim = await registry.claimJob(`job_${collection}_${content}`);
  if (claim.outcome !== 'run') throw new Error(`not claimed: ${claim.outcome}`);
  await registry.publishVersion({
    ...{ tenant, documentId, version, textHash: 'x', chunks: 1, tokens: 1, result: {} },
  });
}

for (let index = 0; index < 20; index += 1) {
  await ingest('shared', `${writer}-${index}`, `${writer}-${index}`);
  await ingest('contended', 'one', `${writer}-${index}`);
}
await registry.close();
