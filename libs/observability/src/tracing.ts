import type { Logger } from './logger.ts';

/**
 * Spans, as the rest of the code knows them. Nothing is loaded and nothing is made while tracing is off: `begin`
 * then gives null, as it does for what the sampler leaves out, and callers write `span?.end()`.
 *
 * One trace per query: the gateway's span is the parent of every wait and every stage. What may come by the thousand
 * or long after (documents and their groups, retries, redeliveries) begins a trace of its own with a link to where it
 * came from (ADR 0020).
 */
export interface Tracing {
  begin(name: string, options: BeginSpan): TraceSpan | null;
  /** Sends what is left, for a second at most. */
  close(): Promise<void>;
}

/** W3C trace context, as it travels in headers and envelopes. */
export interface TraceCarrier {
  traceparent?: string | undefined;
  tracestate?: string | undefined;
}

export interface BeginSpan {
  kind: SpanKind;
  /** Continues that trace; sampled as it is, by the usual samplers. */
  parent?: TraceCarrier;
  /** Begins a trace of its own, recorded when the linked one is. */
  link?: TraceCarrier;
  /** Epoch milliseconds; now when absent. */
  startMs?: number;
  /** `performance.now()` of that same moment, where the caller has read both; the moment of the call when absent. */
  startMonotonicMs?: number;
  attributes?: SpanAttributes;
}

export type SpanKind = 'server' | 'client' | 'consumer' | 'internal';
export type SpanAttributes = Record<string, string | number | boolean | string[] | undefined>;

/** A span that is recorded. Never the text of a question, a prompt, an answer or a document. */
export interface TraceSpan {
  /** What is done on this span's behalf continues from here. */
  readonly traceparent: string;
  readonly tracestate: string | undefined;
  child(name: string, options: Pick<BeginSpan, 'kind' | 'startMs' | 'attributes'>): TraceSpan;
  set(attributes: SpanAttributes): void;
  /** `type`: a failure code or kind, never a message that may quote somebody's text. */
  fail(type: string): void;
  /** Epoch milliseconds; now when absent, measured from the start by a monotonic clock. */
  end(endMs?: number): void;
}

export const noTracing: Tracing = { begin: () => null, close: async () => {} };

/** The configuration's section `tracing`. */
export interface TracingSettings {
  otlp_endpoint: string | null;
  otlp_traces_endpoint: string | null;
  exporter: string;
  disabled: boolean;
  sampler: SamplerName;
  sampler_arg: number;
  service_name: string | null;
  max_queue_size: number;
  schedule_delay_ms: number;
}

type RootSampler = 'always_on' | 'always_off' | 'traceidratio';
export type SamplerName = RootSampler | `parentbased_${RootSampler}`;

/** The SDK is loaded only when there is somewhere to send spans to: it takes 60 ms and some megabytes. */
export async function openTracing(
  settings: TracingSettings,
  about: { service: string; workerName: string; log: Pick<Logger, 'info' | 'warn' | 'debug'> },
): Promise<Tracing> {
  const url = tracesUrl(settings);
  if (url === null) return noTracing;
  const { createOtelTracing } = await import('./otel-tracing.ts');
  about.log.info({ url, sampler: settings.sampler }, 'traces are exported');
  return createOtelTracing(settings, { ...about, url });
}

/** Null: off. The base address gets the signal's path, the traces' own is taken as it is (OTLP specification). */
function tracesUrl({
  otlp_endpoint: base,
  otlp_traces_endpoint: own,
  exporter,
  disabled,
}: TracingSettings): string | null {
  if (disabled || exporter !== 'otlp') return null;
  return own ?? (base === null ? null : `${base.replace(/\/+$/, '')}/v1/traces`);
}
