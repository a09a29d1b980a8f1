import { parentPort, workerData } from 'node:worker_threads';
import { type ChunkSource, chunkText, type Piece } from '@vortex/documents';
import { loadTokenizer } from '@vortex/embedding';

/** What runs in the thread: the encoder's tokenizer and the chunker, one document at a time. */
export interface ChunkThreadSettings {
  model: string;
  modelsDir: string;
}

export interface ChunkRequest {
  id: number;
  source: ChunkSource;
  maxTokens: number;
  overlapTokens: number;
}

export type ChunkReply =
  | { kind: 'ready' }
  | { kind: 'chunked'; id: number; pieces: Piece[] }
  | { kind: 'failed'; id: number; message: string };

const port = parentPort;
if (port === null) throw new Error('chunk-thread.ts runs as a worker thread only');
const tokenizer = await loadTokenizer(workerData as ChunkThreadSettings);
const reply = (message: ChunkReply) => port.postMessage(message);

port.on('message', ({ id, source, ...limits }: ChunkRequest) => {
  try {
    const pieces = chunkText(source, { ...limits, countTokens: (text) => tokenizer.countTokens(text) });
    reply({ kind: 'chunked', id, pieces });
  } catch (error) {
    reply({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) });
  }
});
reply({ kind: 'ready' });
