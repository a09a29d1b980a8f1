import { type ChunkSource, chunkText, type Piece } from '@vortex/documents';
import { loadTokenizer } from '@vortex/embedding';

/** What runs in the child: the encoder's tokenizer and the chunker, one document at a time. */
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

const [model, modelsDir] = process.argv.slice(2);
const reply = (message: ChunkReply) => process.send?.(message);
if (model === undefined || modelsDir === undefined || process.send === undefined) {
  throw new Error('chunk-process.ts is started by process-chunker.ts, with a model and its folder');
}

// Ctrl-C reaches every process of the terminal; the parent decides when this one ends. When it is gone, so are we.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit(0));

const tokenizer = await loadTokenizer({ model, modelsDir });

process.on('message', ({ id, source, ...limits }: ChunkRequest) => {
  try {
    const pieces = chunkText(source, { ...limits, countTokens: (text) => tokenizer.countTokens(text) });
    reply({ kind: 'chunked', id, pieces });
  } catch (error) {
    reply({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) });
  }
});
reply({ kind: 'ready' });
