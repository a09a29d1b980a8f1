import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from './logger.ts';
import { openTracing, type TracingSettings } from './tracing.ts';

const settings: TracingSettings = {
  otlp_endpoint: null,
  otlp_traces_endpoint: null,
  exporter: 'otlp',
  disabled: false,
  sampler: 'parentbased_always_on',
  sampler_arg: 1,
  service_name: null,
  max_queue_size: 2048,
  schedule_delay_ms: 60_000,
};
const about = { service: 'encoder', workerName: 'encoder_1', log: silentLogger };
const trace = 'ab'.repeat(16);
const caller = (flags: '00' | '01') => ({
  traceparent: `00-${trace}-00f067aa0ba902b7-${flags}`,
  tracestate: 'vendor=1',
});

interface Sent {
  name: string;
  traceId: string;
  parentSpanId?: string;
  traceState?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  links?: { traceId: string }[];
  status: { code: number };
}

async function collector() {
  const sent: Sent[] = [];
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await text(request)) as {
      resourceSpans: { scopeSpans: { spans: Sent[] }[] }[];
    };
    for (const { scopeSpans } of body.resourceSpans) for (const { spans } of scopeSpans) sent.push(...spans);
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sent };
}

const open = async (more: Partial<TracingSettings> = {}) => {
  const { url, sent } = await collector();
  const tracing = await openTracing({ ...settings, otlp_endpoint: url, ...more }, about);
  const spans = async () => {
    await tracing.close();
    return sent;
  };
  return { tracing, spans };
};

it('continues the caller’s trace with its state, and ends by the clock it was begun by', async () => {
  const { tracing, spans } = await open();
  const span = tracing.begin('encode', {
    kind: 'consumer',
    parent: caller('01'),
    startMs: 1_700_000_000_000.5,
  });
  span?.child('inside', { kind: 'client' }).end();
  span?.fail('internal');
  span?.end(1_700_000_000_010);
  expect(span?.traceparent).toMatch(new RegExp(`^00-${trace}-(?!00f067aa)[0-9a-f]{16}-01$`));
  expect(span?.tracestate).toBe('vendor=1');
  const [inside, encode] = await spans();
  expect(encode).toMatchObject({
    ...{ name: 'encode', traceId: trace, parentSpanId: '00f067aa0ba902b7', traceState: 'vendor=1' },
    ...{ startTimeUnixNano: '1700000000000500000', endTimeUnixNano: '1700000000010000000' },
    status: { code: 2 },
  });
  expect(inside).toMatchObject({ name: 'inside', parentSpanId: span?.traceparent.slice(36, 52) });
  expect(Number(inside?.startTimeUnixNano) / 1e6).toBeGreaterThanOrEqual(1_700_000_000_000);
});

it('begins a linked trace of its own when the linked one is recorded, whatever the share', async () => {
  const { tracing, spans } = await open({ sampler: 'parentbased_traceidratio', sampler_arg: 0 });
  expect(tracing.begin('unlinked', { kind: 'server' })).toBeNull();
  expect(tracing.begin('left out', { kind: 'consumer', link: caller('00') })).toBeNull();
  tracing.begin('linked', { kind: 'consumer', link: caller('01') })?.end();
  const [linked, ...others] = await spans();
  expect(others).toEqual([]);
  expect(linked).toMatchObject({ name: 'linked', links: [{ traceId: trace }] });
  expect(linked?.traceId).not.toBe(trace);
  expect(linked?.parentSpanId ?? '').toBe('');
});

it('leaves out what is linked to a trace that is not recorded, even where all are', async () => {
  for (const sampler of ['always_on', 'parentbased_always_on'] as const) {
    const { tracing } = await open({ sampler });
    onTestFinished(() => tracing.close());
    expect(tracing.begin('linked', { kind: 'consumer', link: caller('00') })).toBeNull();
    expect(tracing.begin('linked', { kind: 'consumer', link: caller('01') })).not.toBeNull();
  }
});

it.each([
  ['parentbased_always_on', '00', false],
  ['parentbased_always_off', '01', true],
  ['always_off', '01', false],
  ['always_on', '00', true],
] as const)('%s records a caller’s flag %s: %s', async (sampler, flags, recorded) => {
  const { tracing } = await open({ sampler });
  onTestFinished(() => tracing.close());
  expect(tracing.begin('one', { kind: 'server', parent: caller(flags) }) !== null).toBe(recorded);
});

it('takes what is no trace context for none', async () => {
  const { tracing } = await open();
  onTestFinished(() => tracing.close());
  for (const traceparent of [
    '',
    'nonsense',
    `ff-${trace}-00f067aa0ba902b7-01`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
  ]) {
    const span = tracing.begin('one', { kind: 'server', parent: { traceparent } });
    expect(span?.traceparent).not.toContain(trace);
    expect(span?.traceparent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  }
});

it('is off without an address, when told so, and for another exporter', async () => {
  const there = { otlp_endpoint: 'http://127.0.0.1:1' };
  for (const one of [{}, { ...there, disabled: true }, { ...there, exporter: 'none' }]) {
    const tracing = await openTracing({ ...settings, ...one }, about);
    expect(tracing.begin('one', { kind: 'server' })).toBeNull();
  }
});

it('does not wait for a collector that is away', async () => {
  const tracing = await openTracing({ ...settings, otlp_endpoint: 'http://127.0.0.1:1' }, about);
  tracing.begin('one', { kind: 'server' })?.end();
  await tracing.close();
});
