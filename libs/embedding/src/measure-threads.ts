import type { ThreadChoice, ThreadMeasurement } from './choose-threads.ts';
import type { ModelFiles } from './models/model-files.ts';
import { createThreadEmbedder } from './thread-embedder.ts';

/**
 * A program: `measure-threads.ts {"files":…,"choices":[…]}` prints a ThreadMeasurement. All choices are
 * loaded together and take turns, so that what else the machine does falls on all of them.
 */
const rounds = 3;
const roundMs = 120;
const inFlight = 8;

const argument = process.argv[2];
if (argument === undefined) throw new Error('usage: measure-threads.ts {"files":…,"choices":[…]}');
const { files, choices } = JSON.parse(argument) as { files: ModelFiles; choices: ThreadChoice[] };

const embedders = await Promise.all(choices.map((choice) => createThreadEmbedder({ files, ...choice })));
const rates = choices.map(() => 0);
for (let round = 0; round < rounds; round += 1) {
  for (const [index, embedder] of embedders.entries()) {
    const endsAt = performance.now() + roundMs;
    let answered = 0;
    const ask = async () => {
      while (performance.now() < endsAt) {
        const text = `what happens to job number ${answered} when its worker dies in the middle?`;
        await embedder.embed([text], { priority: 'interactive', kind: 'query' });
        answered += 1;
      }
    };
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: inFlight }, ask));
    const perSecond = (answered * 1000) / (performance.now() - startedAt);
    rates[index] = Math.max(rates[index] ?? 0, Math.round(perSecond));
  }
}
await Promise.all(embedders.map((embedder) => embedder.close()));
process.stdout.write(JSON.stringify({ choices, rates } satisfies ThreadMeasurement));
