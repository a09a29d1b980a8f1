import { type ChunksPage, stages } from '@vortex/contracts';
import type { DocumentRecord } from '@vortex/registry';
import { awaitResult } from './ask.ts';
import type { GatewayParts } from './dependencies.ts';
import type { Exchange } from './exchange.ts';
import { jobHeaderOf } from './job-header.ts';

/**
 * A page of the chunks of a document's visible version. They stand in the vector store, which the retriever owns,
 * so it is asked over the chain as it is for a search. @throws as `awaitResult`
 */
export async function askForChunks(
  deps: GatewayParts,
  exchange: Exchange,
  document: Pick<DocumentRecord, 'collection' | 'documentId' | 'version'>,
  from: number,
  limit: number,
): Promise<ChunksPage['chunks']> {
  const { collection, documentId, version } = document;
  const { query_timeout_ms: timeoutMs, max_live_queries: cap } = deps.settings;
  const id = deps.questionIds.make(exchange.caller.tenant);
  exchange.jobId = id;
  const deadlineAt = Date.now() + timeoutMs;
  const asked = { collection, document_id: documentId, version, from, limit };
  const { list, lane } = stages.chunks;
  const envelope = { ...jobHeaderOf(exchange, id, deadlineAt), ...asked };
  const job = { list, lane, id, deadlineAt, cap, envelope };
  const found = await awaitResult<ChunksPage>(deps, exchange, { job, timeoutMs }, 'chunks');
  return found.chunks;
}
