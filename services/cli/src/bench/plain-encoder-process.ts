import { once } from 'node:events';
import { env, pipeline } from '@xenova/transformers';
import { percentile } from './percentile.ts';
import type { PlainEncoderRate, PlainEncoderRequest } from './plain-encoder.ts';

const [request] = (await once(process, 'message')) as [PlainEncoderRequest];
env.allowRemoteModels = false;
env.localModelPath = request.modelsDir;
const extract = await pipeline('feature-extraction', request.model, { dtype: 'q8', local_files_only: true });

const ask = (index: number) =>
  extract(request.texts[index % request.texts.length] ?? '', { pooling: 'mean', normalize: true });
for (let index = 0; index < 20; index += 1) await ask(index);

const times: number[] = [];
const until = performance.now() + request.seconds * 1000;
for (let began = performance.now(); began < until; began = performance.now()) {
  await ask(times.length);
  times.push(performance.now() - began);
}
const rate: PlainEncoderRate = {
  queriesPerSecond: (times.length * 1000) / times.reduce((sum, ms) => sum + ms, 0),
  oneAtATimeMs: percentile(times, 50),
};
process.send?.(rate, () => process.disconnect());
