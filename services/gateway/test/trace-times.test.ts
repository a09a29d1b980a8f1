import { noCache } from '@vortex/cache';
import { silentLogger, type TraceSpan, type Tracing } from '@vortex/observability';
import { expect, it } from 'vitest';
import { failed, gatewayUnderTest } from './gateway-under-test.ts';

/** What the gateway says of its spans: from when, and until when. */
function recordedTracing() {
  const lengthsMs: number[] = [];
  const tracing: Tracing = {
    begin(_name, { startMs = 0 }) {
      const span: TraceSpan = {
        traceparent: `00-${'ab'.repeat(16)}-00f067aa0ba902b7-01`,
        tracestate: undefined,
        child: () => span,
        set: () => {},
        fail: () => {},
        end: (endMs = Number.NaN) => void lengthsMs.push(endMs - startMs),
      };
      return span;
    },
    close: async () => {},
  };
  return { tracing, lengthsMs };
}

it.each([
  ['an answer', '/query', {}, false],
  ['a stream', '/query', { stream: true }, false],
  ['a chat completion', '/v1/chat/completions', {}, false],
  ['hits', '/search', {}, false],
  ['a failure', '/query', {}, true],
  ['a stream that fails', '/query', { stream: true }, true],
])('the span of the request is as long as the total that %s tells', async (_what, path, more, fails) => {
  const { tracing, lengthsMs } = recordedTracing();
  const { post, queue } = await gatewayUnderTest({}, silentLogger, noCache, 'auto', tracing);
  if (fails) queue.script = async ({ id }) => failed(id, 'generator_failed');
  else if (path === '/search')
    queue.script = async ({ id }) =>
      JSON.stringify({
        ...{ id, v: 1, status: 'completed', attempt: 1, timings_ms: { encode: 3 } },
        ...{ hits: [], collection: 'default', mode: 'hybrid', degraded: [] },
      });
  const body = path.startsWith('/v1')
    ? { model: 'rag', messages: [{ role: 'user', content: 'a' }] }
    : { query: 'a', ...more };
  const text = await (await post(path, body)).text();
  const told = Number(/"total":([\d.]+)/.exec(text)?.[1]);
  expect(lengthsMs).toHaveLength(1);
  // To the hundredth that is told.
  expect(Math.abs((lengthsMs[0] ?? 0) - told)).toBeLessThan(0.02);
});
