import { cpus } from 'node:os';
import { Pool } from 'undici';
import { askInOpenLoop, type ClientStory } from './open-loop.ts';
import { percentile } from './percentile.ts';
import { startPrivateStack } from './private-stack.ts';

/**
 * What becomes of a private stack that is asked half as much again as it can answer, for a minute, by clients that come
 * back twice, and afterwards. Two cases: in the first the slots of the language model are the limit, as in every real
 * installation (6 slots, 400 ms an answer); in the second the model answers at once and the machine's processors are,
 * which the clients of the bench also use. The bounds hold for both.
 */
export interface OverloadBenchOptions {
  modelsDir: string;
  /** Of the overload. */
  seconds?: number;
  /** Of the time afterwards, at 0.8 of the capacity. */
  afterSeconds?: number;
  onProgress?: (line: string) => void;
}

interface Case {
  capacity_per_second: number;
  overload: {
    offered_per_second: number;
    /** Answers a second, by the capacity. */
    goodput_ratio: number;
    answers: number;
    answer_p50_ms: number;
    answer_p99_ms: number;
    shed: number;
    shed_p50_ms: number;
    shed_p99_ms: number;
    /** Begun and not finished in time: work for nothing. */
    late: number;
    failed: number;
    codes: Record<string, number>;
  };
  after: {
    /** Of the questions that came in the last half of that time. */
    goodput_ratio: number;
    /** From when on, in windows of five seconds, 95 % are answered; null: never. */
    recovered_after_s: number | null;
  };
}

export interface OverloadBenchReport {
  machine: { cpus: number; model: string };
  deadline_ms: number;
  slots_bound: Case;
  processor_bound: Case;
  bounds: {
    goodput_ratio_min: number;
    shed_p99_ms_max: number;
    after_goodput_ratio_min: number;
    recovered_after_s_max: number;
  };
  ok: boolean;
}

const bounds = {
  goodput_ratio_min: 0.75,
  shed_p99_ms_max: 50,
  after_goodput_ratio_min: 0.95,
  recovered_after_s_max: 60,
};
const deadlineMs = 5000;
const overload = 1.5;
const afterLoad = 0.8;

export async function runOverloadBench(options: OverloadBenchOptions): Promise<OverloadBenchReport> {
  const { modelsDir, seconds = 60, afterSeconds = 40, onProgress = () => {} } = options;
  const slotsBound = await measure({
    modelsDir,
    settings: ['llm.slots=2', 'mock_llm.latency_ms=400'],
    inFlight: 12,
    seconds,
    afterSeconds,
    onProgress: (line) => onProgress(`slots: ${line}`),
  });
  const processorBound = await measure({
    modelsDir,
    settings: ['llm.slots=4'],
    inFlight: 48,
    seconds: seconds / 3,
    afterSeconds: afterSeconds / 2,
    onProgress: (line) => onProgress(`processor: ${line}`),
  });
  return {
    machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
    deadline_ms: deadlineMs,
    slots_bound: slotsBound,
    processor_bound: processorBound,
    bounds,
    ok: isWithinBounds(slotsBound) && isWithinBounds(processorBound),
  };
}

function isWithinBounds({ overload, after }: Case): boolean {
  return (
    overload.goodput_ratio >= bounds.goodput_ratio_min &&
    overload.shed_p99_ms <= bounds.shed_p99_ms_max &&
    after.goodput_ratio >= bounds.after_goodput_ratio_min &&
    (after.recovered_after_s ?? Number.POSITIVE_INFINITY) <= bounds.recovered_after_s_max
  );
}

async function measure(options: {
  modelsDir: string;
  settings: string[];
  inFlight: number;
  seconds: number;
  afterSeconds: number;
  onProgress: (line: string) => void;
}): Promise<Case> {
  const { modelsDir, settings, inFlight, seconds, afterSeconds, onProgress } = options;
  onProgress('starting a private stack');
  const stack = await startPrivateStack({ modelsDir, withDocs: true, settings });
  try {
    onProgress('its capacity');
    await answersPerSecond(stack.url, inFlight, 3);
    const capacity = await answersPerSecond(stack.url, inFlight, 8);
    const offered = overload * capacity;
    onProgress(`${offered.toFixed(1)} questions a second on ${capacity.toFixed(1)}, for ${seconds} s`);
    const load = { url: stack.url, deadlineMs, retries: 2 };
    const during = await askInOpenLoop({ ...load, perSecond: offered, seconds, seed: 1 });
    onProgress(`${(afterLoad * capacity).toFixed(1)} questions a second, for ${afterSeconds} s`);
    const after = await askInOpenLoop({
      ...load,
      perSecond: afterLoad * capacity,
      seconds: afterSeconds,
      seed: 2,
    });
    return {
      capacity_per_second: capacity,
      overload: { offered_per_second: offered, ...overloadFigures(during, capacity, seconds) },
      after: {
        goodput_ratio: answeredShare(after, afterSeconds / 2, afterSeconds),
        recovered_after_s: recoveredAfter(after, afterSeconds),
      },
    };
  } finally {
    await stack.stop();
  }
}

/** Only what was answered while the load lasted counts; the tail is no throughput. */
function overloadFigures(stories: ClientStory[], capacity: number, seconds: number) {
  const attempts = stories.flatMap((story) => story.attempts);
  const answers = attempts.filter(
    ({ status, sentMs, tookMs }) => status === 200 && sentMs + tookMs <= seconds * 1000,
  );
  const shed = attempts.filter(({ status }) => status === 503);
  const codes: Record<string, number> = {};
  for (const { status, code } of attempts) {
    const name = status === 200 ? 'answered' : (code ?? `status ${status}`);
    codes[name] = (codes[name] ?? 0) + 1;
  }
  const times = (some: typeof attempts, quantile: number) =>
    some.length === 0
      ? 0
      : percentile(
          some.map(({ tookMs }) => tookMs),
          quantile,
        );
  return {
    goodput_ratio: answers.length / seconds / capacity,
    answers: answers.length,
    answer_p50_ms: times(answers, 50),
    answer_p99_ms: times(answers, 99),
    shed: shed.length,
    shed_p50_ms: times(shed, 50),
    shed_p99_ms: times(shed, 99),
    late: attempts.filter(({ status }) => status === 504).length,
    failed: attempts.filter(({ status }) => ![200, 503, 504].includes(status)).length,
    codes,
  };
}

/** Of the clients that came in these seconds, those that were answered, on whichever attempt. */
function answeredShare(stories: ClientStory[], from: number, to: number): number {
  const came = stories.filter(({ arrivedMs }) => arrivedMs >= from * 1000 && arrivedMs < to * 1000);
  const answered = came.filter(({ attempts }) => attempts.some(({ status }) => status === 200));
  return came.length === 0 ? 0 : answered.length / came.length;
}

const windowSeconds = 5;

function recoveredAfter(stories: ClientStory[], seconds: number): number | null {
  let since: number | null = null;
  for (let from = 0; from + windowSeconds <= seconds; from += windowSeconds) {
    if (answeredShare(stories, from, from + windowSeconds) < bounds.after_goodput_ratio_min) since = null;
    else since ??= from;
  }
  return since;
}

async function answersPerSecond(url: string, inFlight: number, seconds: number): Promise<number> {
  const pool = new Pool(url, { connections: inFlight, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  let answers = 0;
  const ask = async () => {
    while (performance.now() < until) {
      const reply = await pool.request({
        method: 'POST',
        path: '/query',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: `What is stage number ${answers} for?`, cache: 'bypass' }),
      });
      await reply.body.dump();
      if (reply.statusCode === 200) answers += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, ask));
  const rate = answers / ((performance.now() - startedAt) / 1000);
  await pool.close();
  return rate;
}
