import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createMetrics, openTracing, silentLogger, type Tracing } from '@vortex/observability';
import { createSubmitter } from '@vortex/queue';
import { openTestRedis } from '@vortex/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import { runStages } from '../src/index.ts';

/**
 * A busy process is off the processor between any two lines of ours. Here it is so wherever a span is begun and ended:
 * the monotonic clock jumps there, as it does for who comes back after a pause.
 */
const pausesMs = { begin: 7, end: 11 };
const inFlight = 50;

interface Sent {
  name: string;
  traceId: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}

async function openCollectedTracing() {
  const sent: Sent[] = [];
  const server = createServer(async (request, response) => {
    const { resourceSpans } = JSON.parse(await text(request)) as {
      resourceSpans: { scopeSpans: { spans: Sent[] }[] }[];
    };
    sent.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const tracing = await openTracing(
    {
      otlp_endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      ...{ otlp_traces_endpoint: null, exporter: 'otlp', disabled: false, service_name: null },
      ...{ sampler: 'parentbased_always_on', sampler_arg: 1 },
      ...{ max_queue_size: 2048, schedule_delay_ms: 60_000 },
    },
    { service: 'encoder', workerName: 'encoder_1', log: silentLogger },
  );
  return { tracing, sent };
}

function withPauses(tracing: Tracing): Tracing {
  const monotonic = performance.now.bind(performance);
  let pausedMs = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => monotonic() + pausedMs);
  onTestFinished(() => clock.mockRestore());
  return {
    begin(name, options) {
      pausedMs += pausesMs.begin;
      const span = tracing.begin(name, options);
      if (span === null) return null;
      const set = span.set.bind(span);
      span.set = (attributes) => {
        pausedMs += pausesMs.end;
        set(attributes);
      };
      return span;
    },
    close: tracing.close,
  };
}

test('a run and its wait are as long in the trace as in the timings, however the process is held up', async () => {
  const { tracing, sent } = await openCollectedTracing();
  const redis = await openTestRedis();
  const stages = await runStages({
    service: 'encoder',
    workerName: 'encoder_1',
    redis,
    log: silentLogger,
    metrics: createMetrics('encoder'),
    tracing: withPauses(tracing),
    lanes: {
      encode: {
        slots: inFlight,
        handler: async () => ({ kind: 'reject', code: 'unsupported_version', reason: 'measured only' }),
      },
    },
    drainBudgetMs: 1000,
  });
  const submitter = createSubmitter({ redis, name: 'trace-times' });
  onTestFinished(async () => {
    await submitter.close();
    await stages.stop();
    await redis.close();
  });
  await submitter.start();
  await stages.onceReady();

  const ended = await Promise.all(
    Array.from({ length: inFlight }, async (_, index) => {
      const id = `qry_traced_${index}`;
      const traceId = (index + 1).toString(16).padStart(32, '0');
      const completion = await submitter.submit({
        ...{ list: 'job:encoder_in', lane: 'interactive', id, deadlineAt: Date.now() + 20_000, cap: 1000 },
        envelope: {
          id,
          query: 'a',
          enqueued_at: Date.now(),
          traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
        },
      });
      return {
        traceId,
        timings: (JSON.parse(completion) as { timings_ms: Record<string, number> }).timings_ms,
      };
    }),
  );
  await tracing.close();

  const lengthOf = ({ startTimeUnixNano, endTimeUnixNano }: Sent) =>
    Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6;
  for (const { traceId, timings } of ended) {
    const ofTrace = sent.filter((span) => span.traceId === traceId);
    const run = ofTrace.find(({ name }) => name === 'encode');
    const wait = ofTrace.find(({ name }) => name === 'wait job:encoder_in');
    if (run === undefined || wait === undefined) throw new Error(`${traceId} has no spans`);
    expect(Math.abs(lengthOf(run) - (timings.encode ?? -1))).toBeLessThan(0.01);
    expect(Math.abs(lengthOf(wait) - (timings.queue_encode ?? -1))).toBeLessThan(0.01);
    // Nothing is between them: what was claimed is being worked on.
    expect(run.startTimeUnixNano).toBe(wait.endTimeUnixNano);
  }
  expect(ended.every(({ timings }) => (timings.encode ?? 0) >= pausesMs.begin)).toBe(true);
});
