import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { askInClosedLoop } from './ask-in-closed-loop.ts';
import { loadDataset } from './dataset.ts';
import { percentile } from './percentile.ts';
import { type PrivateStack, startPrivateStack } from './private-stack.ts';

/**
 * What being looked at costs: three private stacks with a language model that answers at once, one with neither
 * metrics nor logs, one as it is by default (and scraped), one that besides exports a tenth of its queries as traces.
 * All three stand all the while; they are asked in turns, in another order each round, and compared within the
 * round, because a shared machine's speed drifts by more than what is to be shown.
 */
export interface ObserveBenchReport {
  machine: { cpus: number; model: string };
  in_flight: number;
  rounds: Record<Way, number>[];
  errors: number;
  /** Median over the rounds, against `off` of the same round. */
  on_over_off: number;
  traced_over_off: number;
  /** Spans that arrived, so that the traces of the figure were really made. */
  spans: number;
  /** Of twenty readings of each service's `/metrics` after the load; and the largest page. */
  metrics_p95_ms: number;
  metrics_bytes: number;
  bounds: typeof bounds;
  ok: boolean;
}

type Way = 'off' | 'on' | 'traced';

const bounds = {
  on_over_off_min: 0.93,
  traced_over_off_min: 0.9,
  metrics_p95_ms_max: 20,
  metrics_bytes_max: 200_000,
};
const orders: readonly (readonly Way[])[] = [
  ['off', 'on', 'traced'],
  ['traced', 'off', 'on'],
  ['on', 'traced', 'off'],
];
const inFlight = 32;
const warmMs = 500;
const documentsEach = 60;
const scrapeMs = 1000;

export async function runObserveBench(options: {
  modelsDir: string;
  /** Of each way, in each round. */
  seconds?: number;
  rounds?: number;
  onProgress?: (line: string) => void;
}): Promise<ObserveBenchReport> {
  const { modelsDir, seconds = 4, rounds = 6, onProgress = () => {} } = options;
  const { documents, questions } = loadDataset(undefined);
  const texts = questions.map(({ text }) => text);
  const collector = await startCollector();
  const started: PrivateStack[] = [];
  const start = async (way: Way, settings: string[]): Promise<[Way, PrivateStack]> => {
    onProgress(`starting the stack ${way}`);
    const stack = await startPrivateStack({
      ...{ modelsDir, withDocs: false },
      // Every question is answered: the whole chain is what is looked at.
      settings: ['retrieval.relevance_floor=-1', ...settings],
    });
    started.push(stack);
    await ingestSome(stack.url, documents);
    return [way, stack];
  };
  try {
    const stacks = new Map([
      await start('off', ['metrics.enabled=false', 'log.level=silent']),
      await start('on', []),
      await start('traced', [
        `tracing.otlp_endpoint=${collector.url}`,
        'tracing.sampler=parentbased_traceidratio',
        'tracing.sampler_arg=0.1',
      ]),
    ]);
    const scraped = await Promise.all(
      [...stacks].filter(([way]) => way !== 'off').map(([, stack]) => metricsPages(stack)),
    );
    const scraping = setInterval(() => void Promise.all(scraped.flat().map(readPage)), scrapeMs);
    const report: ObserveBenchReport['rounds'] = [];
    let errors = 0;
    try {
      for (let round = 0; round < rounds; round += 1) {
        onProgress(`round ${round + 1} of ${rounds}`);
        const rates: Record<Way, number> = { off: 0, on: 0, traced: 0 };
        for (const way of orders[round % orders.length] ?? []) {
          const countFrom = performance.now() + warmMs;
          const asked = await askInClosedLoop({
            ...{ url: stacks.get(way)?.url ?? '', collection: 'bench', texts, inFlight },
            ...{ countFrom, until: countFrom + seconds * 1000 },
          });
          rates[way] = asked.latencies.length / seconds;
          errors += asked.errors;
        }
        report.push(rates);
      }
    } finally {
      clearInterval(scraping);
    }
    const page = await measurePages(scraped.flat());
    const ratio = (way: Way) =>
      percentile(
        report.map((rates) => rates[way] / rates.off),
        50,
      );
    const [on, traced] = [ratio('on'), ratio('traced')];
    return {
      machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
      in_flight: inFlight,
      rounds: report,
      errors,
      on_over_off: on,
      traced_over_off: traced,
      spans: collector.spans(),
      metrics_p95_ms: page.p95Ms,
      metrics_bytes: page.bytes,
      bounds,
      ok:
        errors === 0 &&
        collector.spans() > 0 &&
        on >= bounds.on_over_off_min &&
        traced >= bounds.traced_over_off_min &&
        page.p95Ms <= bounds.metrics_p95_ms_max &&
        page.bytes <= bounds.metrics_bytes_max,
    };
  } finally {
    for (const stack of started) await stack.stop();
    await collector.close();
  }
}

async function ingestSome(
  url: string,
  documents: ReturnType<typeof loadDataset>['documents'],
): Promise<void> {
  for (const { id, title, text } of documents.slice(0, documentsEach)) {
    const reply = await fetch(`${url}/ingest`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        user_id: 'bench',
        document_id: id,
        collection: 'bench',
        content: text || title,
      }),
    });
    const accepted = (await reply.json()) as { job_id: string };
    if (reply.status !== 202) throw new Error(`document ${id} was refused: ${JSON.stringify(accepted)}`);
    const job = await fetch(`${url}/api/jobs/${accepted.job_id}?wait=30s`);
    const { status } = (await job.json()) as { status: string };
    if (status !== 'completed') throw new Error(`document ${id} is ${status}`);
  }
}

/** Takes what it is sent and counts the spans in it, by their ids; reading them properly would cost the machine more. */
async function startCollector() {
  let spans = 0;
  const server = createServer((request, response) => {
    let last = '';
    request.setEncoding('utf8');
    request.on('data', (piece: string) => {
      spans += (last + piece).split('"spanId"').length - 1;
      last = piece.slice(-8);
    });
    request.on('end', () => response.setHeader('content-type', 'application/json').end('{}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => spans,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function metricsPages(stack: PrivateStack): Promise<string[]> {
  const { services } = await stack.status();
  return services.flatMap(({ url }) => (url?.startsWith('http') ? [`${url}/metrics`] : []));
}

async function readPage(url: string): Promise<number> {
  const reply = await fetch(url, { headers: { accept: 'application/openmetrics-text' } });
  return (await reply.arrayBuffer()).byteLength;
}

async function measurePages(urls: readonly string[]): Promise<{ p95Ms: number; bytes: number }> {
  const taken: number[] = [];
  let bytes = 0;
  for (const url of urls)
    for (let time = 0; time < 20; time += 1) {
      const began = performance.now();
      bytes = Math.max(bytes, await readPage(url));
      taken.push(performance.now() - began);
    }
  return { p95Ms: percentile(taken, 95), bytes };
}
