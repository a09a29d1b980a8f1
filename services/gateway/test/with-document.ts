import { createHash } from 'node:crypto';
import type { NewDocument } from '@vortex/registry';
import { type GatewayUnderTest, gatewayUnderTest } from './gateway-under-test.ts';

export interface DocumentGiven {
  text?: string;
  original?: Uint8Array;
  change?: Partial<Omit<NewDocument, 'job'>>;
  jobId?: string;
}

export interface AcceptedForTest {
  documentId: string;
  version: number;
  jobId: string;
  /** Ends its job: the version becomes visible. */
  publish(): Promise<void>;
}

/** A document that was accepted, its original stored, as an upload leaves it; nothing has worked on it. */
export async function acceptDocument(
  { registry, originals, texts }: GatewayUnderTest,
  { text = 'Some text.', original = Buffer.from(text), change, jobId = 'job_1' }: DocumentGiven = {},
): Promise<AcceptedForTest> {
  const contentHash = createHash('sha256').update(original).digest('hex');
  await originals.put(original);
  const accepted = await registry.acceptDocuments([
    {
      tenant: 'default',
      collection: 'notes',
      externalId: 'mine',
      filename: 'mine.txt',
      title: 'Mine',
      mediaType: 'text/plain',
      metadata: { user_id: 'u' },
      contentHash,
      settingsHash: 's',
      bytes: original.byteLength,
      ifExists: 'replace',
      ...change,
      job: {
        id: jobId,
        type: 'document_upload',
        payload: { filename: 'mine.txt' },
        maxRetries: 4,
        webhookUrl: null,
        traceparent: null,
      },
    },
  ]);
  if (accepted.outcome !== 'accepted') throw new Error(`the document was not accepted: ${accepted.outcome}`);
  const [acceptance] = accepted.documents;
  if (acceptance === undefined) throw new Error('one document was given and none answered');
  const { documentId, version } = acceptance;
  return {
    ...{ documentId, version, jobId },
    async publish() {
      await registry.publishVersion({
        ...{ tenant: 'default', documentId, version },
        textHash: await texts.put(Buffer.from(text)),
        chunks: 1,
        tokens: 9,
        result: { processing_time_ms: 5 },
      });
    },
  };
}

/** A gateway with such a document. */
export async function withDocument(given: DocumentGiven = {}): Promise<GatewayUnderTest & AcceptedForTest> {
  const gateway = await gatewayUnderTest();
  return { ...gateway, ...(await acceptDocument(gateway, given)) };
}
