import { parentPort, workerData } from 'node:worker_threads';
import { AutoModel, env } from '@xenova/transformers';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import type { Embedding } from './embedder.ts';
import { catalogueModel } from './models/catalogue.ts';
import { loadTokenizer } from './tokenizer.ts';

/**
 * What runs in a worker thread: one model, one text at a time. onnxruntime-node computes on the thread that
 * calls it, so a process that also talks to Redis must never call it on its main loop.
 *
 * transformers.js loads the model and its session. The session is then called directly, because
 * per query its pipeline (padding, tensor copies, type checks, pooling) cost as much as a third of the
 * inference itself: 691 against 934 queries/s on one thread (docs/decisions/0003).
 *
 * Rooms are not imported here: a thread gets no `vortex-source` condition from a test runner.
 */
export interface ThreadSettings {
  model: string;
  modelsDir: string;
  /** Cores one inference may use. */
  intraOpThreads: number;
}

export type ThreadRequest = { kind: 'embed'; id: number; text: string } | { kind: 'stop' };

export type ThreadReply =
  | { kind: 'ready' }
  | { kind: 'embedded'; id: number; embedding: Embedding }
  | { kind: 'failed'; id: number; message: string };

const port = parentPort;
if (port === null) throw new Error('inference-thread.ts runs as a worker thread only');
const settings = workerData as ThreadSettings;
const model = catalogueModel(settings.model);
const reply = (message: ThreadReply) => port.postMessage(message);

env.allowRemoteModels = false;
env.localModelPath = settings.modelsDir;
const tokenizer = await loadTokenizer(settings);
const network = await AutoModel.from_pretrained(model.id, {
  dtype: 'q8',
  device: 'cpu',
  local_files_only: true,
  session_options: {
    intraOpNumThreads: settings.intraOpThreads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    extra: {
      session: {
        // A session's own threads spin while they wait: 1.35 cores busy instead of .37 with one question
        // every 4 ms, taken from Redis and the retriever.
        intra_op: { allow_spinning: '0' },
        // Processors without VNNI add int8 products in 16 bits and may overflow; this takes the exact way
        // there and changes nothing elsewhere (same speed and bits measured with VNNI).
        x64quantprecision: '1',
      },
    },
  },
});
const session = network.sessions.model as InferenceSession;

// Written once, cut to length per text: nothing but the ids differs between two single texts.
const ids = new BigInt64Array(model.maxTokens);
const idWords = new Int32Array(ids.buffer);
const ones = new BigInt64Array(model.maxTokens).fill(1n);
const zeros = new BigInt64Array(model.maxTokens);
// The session writes into it: an output of its own per text is 300 kB that wait for the garbage collector.
const states = new Float32Array(model.maxTokens * model.dimension);

async function embed(text: string): Promise<Embedding> {
  const began = performance.now();
  const encoded = tokenizer.encode(text);
  const tokens = encoded.ids.length;
  // The low half of each little-endian 64-bit number; the high halves stay zero. Every platform
  // onnxruntime-node is built for is little-endian.
  for (let index = 0; index < tokens; index += 1) idWords[2 * index] = encoded.ids[index] as number;
  const tensor = (values: BigInt64Array) => new Tensor('int64', values.subarray(0, tokens), [1, tokens]);
  const output = new Tensor('float32', states.subarray(0, tokens * model.dimension), [
    1,
    tokens,
    model.dimension,
  ]);
  await session.run(
    { input_ids: tensor(ids), attention_mask: tensor(ones), token_type_ids: tensor(zeros) },
    { last_hidden_state: output },
  );
  const vector = normalise(pool(tokens));
  return { vector, tokens, truncated: encoded.truncated, inferenceMs: performance.now() - began };
}

function pool(tokens: number): Float32Array {
  const { dimension } = model;
  if (model.pooling === 'cls') return states.slice(0, dimension);
  // The sum will do: dividing by the count changes no direction, and the length is set to one next.
  const sum = new Float32Array(dimension);
  for (let token = 0, at = 0; token < tokens; token += 1) {
    for (let index = 0; index < dimension; index += 1, at += 1) {
      sum[index] = (sum[index] as number) + (states[at] as number);
    }
  }
  return sum;
}

function normalise(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares) || 1;
  for (let index = 0; index < vector.length; index += 1) vector[index] = (vector[index] as number) / length;
  return vector;
}

async function answer(id: number, text: string): Promise<void> {
  try {
    const embedding = await embed(text);
    port?.postMessage({ kind: 'embedded', id, embedding } satisfies ThreadReply, [
      embedding.vector.buffer as ArrayBuffer,
    ]);
  } catch (error) {
    reply({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) });
  }
}

// One after the other: the id buffer is shared, and `run` reads it a turn of the loop later.
let last = Promise.resolve();
port.on('message', (request: ThreadRequest) => {
  last = last.then(() => (request.kind === 'stop' ? process.exit(0) : answer(request.id, request.text)));
});

// The first inferences of a session are slow (buffers, packed weights): they happen before anyone waits.
await embed('warm '.repeat(model.maxTokens));
await embed('a question of common length, once more to be sure');
reply({ kind: 'ready' });
