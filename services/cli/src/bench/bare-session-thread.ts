import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';

/**
 * The yardstick: a bare ONNX Runtime session in a tight loop. Token ids are made beforehand and nothing is
 * done with the output, so what it reaches is what the runtime can do, not what any service could.
 */
export interface BareThreadSettings {
  onnxPath: string;
  intraOpThreads: number;
  /** Token ids of the texts, by set. */
  sets: number[][][];
}

export type BareThreadRequest =
  | { kind: 'loop'; set: number; from: number; ms: number }
  | { kind: 'states'; set: number }
  | { kind: 'stop' };

export type BareThreadReply =
  | { kind: 'ready' }
  | { kind: 'looped'; texts: number; ms: number }
  /** Mean of the token vectors of each text, not normalised. */
  | { kind: 'states'; vectors: Float32Array[] };

const port = parentPort;
if (port === null) throw new Error('bare-session-thread.ts runs as a worker thread only');
const { onnxPath, intraOpThreads, sets } = workerData as BareThreadSettings;
const reply = (message: BareThreadReply) => port.postMessage(message);

const session = await InferenceSession.create(onnxPath, {
  intraOpNumThreads: intraOpThreads,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
});

async function run(ids: readonly number[]): Promise<Float32Array> {
  const shape = [1, ids.length];
  const output = await session.run({
    input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
    attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
    token_type_ids: new Tensor('int64', new BigInt64Array(ids.length), shape),
  });
  return output.last_hidden_state?.data as Float32Array;
}

async function loop(texts: readonly number[][], from: number, ms: number): Promise<void> {
  const startedAt = performance.now();
  let count = 0;
  while (performance.now() - startedAt < ms) {
    await run(texts[(from + count) % texts.length] ?? []);
    count += 1;
  }
  reply({ kind: 'looped', texts: count, ms: performance.now() - startedAt });
}

async function states(texts: readonly number[][]): Promise<void> {
  const vectors: Float32Array[] = [];
  for (const ids of texts) {
    const hidden = await run(ids);
    const dimension = hidden.length / ids.length;
    const sum = new Float32Array(dimension);
    for (const [at, value] of hidden.entries()) {
      sum[at % dimension] = (sum[at % dimension] ?? 0) + value;
    }
    vectors.push(sum.map((value) => value / ids.length));
  }
  reply({ kind: 'states', vectors });
}

port.on('message', (request: BareThreadRequest) => {
  const texts = request.kind === 'stop' ? [] : (sets[request.set] ?? []);
  if (request.kind === 'stop') process.exit(0);
  else if (request.kind === 'loop') void loop(texts, request.from, request.ms);
  else void states(texts);
});

for (const texts of sets) {
  for (const ids of texts.slice(0, 4)) await run(ids);
}
reply({ kind: 'ready' });
