import { problem, queryResponse } from '@vortex/contracts';
import { QueueFull, QueueUnavailable } from '@vortex/queue';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  completed,
  envelopeOf,
  eventsIn,
  failed,
  frame,
  gatewayUnderTest,
  sampleAnswer,
} from './gateway-under-test.ts';

const { sources, citations, answer } = sampleAnswer;
const [citation] = citations;
if (citation === undefined) throw new Error('the sample answer cites nothing');

const names = (stream: string) => eventsIn(stream).map(({ event }) => event);
const textOf = (stream: string) =>
  eventsIn(stream)
    .slice(names(stream).lastIndexOf('restart') + 1)
    .flatMap(({ event, data }) => (event === 'delta' ? [(data as { text: string }).text] : []))
    .join('');

describe('POST /query with stream', () => {
  it('tells start, sources, deltas, citations and the JSON answer, numbered', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources }));
      onFrame?.(frame(id, { kind: 'delta', text: answer.slice(0, 10) }));
      onFrame?.(frame(id, { kind: 'citation', citation }));
      onFrame?.(frame(id, { kind: 'delta', text: answer.slice(10) }));
      return completed(id);
    };
    const response = await post('/query', { query: 'a', stream: true });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    const stream = await response.text();
    const events = eventsIn(stream);
    expect(names(stream)).toEqual(['start', 'sources', 'delta', 'delta', 'citation', 'done']);
    expect(events.map(({ id }) => id)).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(events[0]?.data).toEqual({
      id: queue.submitted[0]?.id,
      request_id: response.headers.get('x-request-id'),
    });
    expect(events[1]?.data).toEqual({ sources });
    expect(events[4]?.data).toEqual(citation);
    expect(queryResponse.parse(events[5]?.data)).toMatchObject(sampleAnswer);
    expect(envelopeOf(queue.submitted[0]).stream).toBe(true);
  });

  it('tells all of an answer whose frames were lost', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'delta', text: 'came before its sources' }));
      return completed(id);
    };
    const stream = await (await post('/query', { query: 'a', stream: true })).text();
    expect(names(stream)).toEqual(['start', 'sources', 'delta', 'citation', 'done']);
    expect(textOf(stream)).toBe(answer);
  });

  it('starts again when another worker took over after text was sent, and ignores the dead run', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources }));
      onFrame?.(frame(id, { kind: 'delta', text: 'The dead worker said' }));
      onFrame?.(frame(id, { kind: 'sources', sources }, { redelivered: 1 }));
      onFrame?.(frame(id, { kind: 'delta', text: ' a late word' }));
      onFrame?.(frame(id, { kind: 'delta', text: answer }, { redelivered: 1 }));
      return completed(id);
    };
    const stream = await (await post('/query', { query: 'a', stream: true })).text();
    expect(names(stream)).toEqual([
      'start',
      'sources',
      'delta',
      'restart',
      'sources',
      'delta',
      'citation',
      'done',
    ]);
    expect(textOf(stream)).toBe(answer);
    expect(stream).not.toContain('late word');
  });

  it('takes back what was streamed when the answer says something else', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources }));
      onFrame?.(frame(id, { kind: 'delta', text: 'Half of this was lost' }));
      onFrame?.(frame(id, { kind: 'citation', citation }));
      return completed(id);
    };
    const stream = await (await post('/query', { query: 'a', stream: true })).text();
    expect(names(stream)).toEqual([
      'start',
      'sources',
      'delta',
      'restart',
      'sources',
      'delta',
      'citation',
      'done',
    ]);
    expect(textOf(stream)).toBe(answer);
  });

  it('ends with an error event when the answer fails after the stream began', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources }));
      await new Promise((resolve) => setImmediate(resolve));
      return failed(id, 'generator_failed');
    };
    const response = await post('/query', { query: 'a', stream: true });
    expect(response.status).toBe(200);
    const stream = await response.text();
    expect(names(stream)).toEqual(['start', 'sources', 'error']);
    expect(problem.parse(eventsIn(stream).at(-1)?.data)).toMatchObject({
      code: 'generator_failed',
      status: 502,
      instance: '/query',
    });
  });

  it('holds the head back until Redis has taken the job, however long that takes', async () => {
    const { post, queue } = await gatewayUnderTest();
    const refusal = Promise.withResolvers<string>();
    queue.confirms = false;
    queue.script = () => refusal.promise;
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const answering = post('/query', { query: 'a', stream: true });
    await vi.advanceTimersByTimeAsync(800);
    refusal.reject(new QueueUnavailable('redis does not answer'));
    expect((await answering).status).toBe(503);
  });

  it('answers with a status, not a stream, when the job is not admitted', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async () => Promise.reject(new QueueFull(1000));
    const response = await post('/query', { query: 'a', stream: true });
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
  });

  it('cancels the job of a client that stops reading', async () => {
    const { post, queue, metrics } = await gatewayUnderTest();
    queue.script = ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources }));
      return new Promise(() => {});
    };
    const response = await post('/query', { query: 'a', stream: true });
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await expect.poll(() => queue.cancelled).toEqual(queue.submitted.map(({ id }) => id));
    await expect
      .poll(async () => (await metrics.render()).body)
      .toMatch(/api_gateway_stream_aborted_total\{by="client".*\} 1/);
  });

  it('sends a comment every ten seconds of silence', async () => {
    const { post, queue } = await gatewayUnderTest();
    let finish = () => {};
    queue.script = ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources }));
      return new Promise((resolve) => {
        finish = () => resolve(completed(id));
      });
    };
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const response = await post('/query', { query: 'a', stream: true });
      vi.advanceTimersByTime(25_000);
      finish();
      const stream = await response.text();
      expect(stream.split('\n').filter((line) => line.startsWith(':'))).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });
});
