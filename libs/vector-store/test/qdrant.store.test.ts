import { QdrantClient } from '@qdrant/js-client-rest';
import { createLogger } from '@vortex/observability';
import { it } from 'vitest';
import { storeConformance } from '../src/conformance.ts';
import { openVectorStore } from '../src/open-vector-store.ts';
import { qdrantAddress } from '../src/qdrant-address.ts';

const { QDRANT_URL: url, QDRANT_API_KEY: apiKey } = process.env;

if (url === undefined || url === '') {
  const whySkipped = 'no conformance run on a real Qdrant: QDRANT_URL is not set';
  console.info(`skipped: ${whySkipped}`);
  it('runs the conformance suite against a real Qdrant', (test) => {
    test.skip(whySkipped);
  });
} else {
  storeConformance(`Qdrant at ${url}`, async () => {
    // The run's own collections on a server that may be someone's: made under this prefix, removed by it.
    const collectionPrefix = `vortex-test-${process.pid}-${Date.now()}`;
    const log = createLogger({ service: 'test', level: 'silent' });
    const key = apiKey === undefined || apiKey === '' ? null : apiKey;
    return {
      open: () =>
        openVectorStore({ kind: 'qdrant', url, apiKey: key, collectionPrefix }, { exactBelow: 0, log }),
      async remove() {
        const headers = key === null ? {} : { 'api-key': key };
        const client = new QdrantClient({ ...qdrantAddress(url), headers, checkCompatibility: false });
        const { collections } = await client.getCollections();
        for (const { name } of collections) {
          if (name.startsWith(`${collectionPrefix}-`)) await client.deleteCollection(name);
        }
      },
    };
  });
}
