import {
  type Attributes,
  type Context,
  createTraceState,
  DiagLogLevel,
  diag,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  detectResources,
  envDetector,
  processDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Logger } from './logger.ts';
import { processVersion } from './process-version.ts';
import type { SamplerName, TraceCarrier, TraceSpan, Tracing, TracingSettings } from './tracing.ts';

/**
 * Tracing by OpenTelemetry's SDK, sent in batches as OTLP over HTTP. It is given parents and links by hand and kept
 * out of globals: no context manager, so no AsyncLocalStorage on the way of every promise.
 *
 * Export never holds a job up: ended spans wait in a bounded queue (what does not fit is dropped), a timer sends
 * them, and what cannot be sent is said once a minute.
 */
const closeMs = 1000;
const complainMs = 60_000;

export function createOtelTracing(
  settings: TracingSettings,
  about: { service: string; workerName: string; url: string; log: Pick<Logger, 'warn' | 'debug'> },
): Tracing {
  const { service, workerName, url, log } = about;
  listenToSdk(log);
  // Headers, timeout and compression are read by the exporter itself, from the standard environment.
  const exporter = new OTLPTraceExporter({ url });
  const provider = new TracerProvider({
    sampler: linkedRoots(samplerOf(settings.sampler, settings.sampler_arg)),
    resource: resourceFromAttributes({
      'service.name': settings.service_name ?? `vortex-${service}`,
      'service.namespace': 'vortex',
      'service.version': processVersion,
      'service.instance.id': workerName,
      'vortex.role': service,
    })
      .merge(detectResources({ detectors: [processDetector] }))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: settings.max_queue_size,
        maxExportBatchSize: Math.min(512, settings.max_queue_size),
        scheduledDelayMillis: settings.schedule_delay_ms,
      }),
    ],
  });
  const followsParent = settings.sampler.startsWith('parentbased_');
  const tracer = provider.getTracer('vortex', processVersion);

  return {
    begin(name, { kind, parent, link, startMs, startMonotonicMs = performance.now(), attributes }) {
      const linked = link === undefined ? undefined : spanContextOf(link);
      const continued = parent === undefined ? undefined : spanContextOf(parent);
      // Known before anything is made: where a tenth is recorded, nine of ten runs end here.
      if (linked !== undefined && !isSampled(linked)) return null;
      if (continued !== undefined && followsParent && !isSampled(continued)) return null;
      const context = continued === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, continued);
      const begunMs = startMs ?? Date.now();
      const span = tracer.startSpan(
        name,
        {
          kind: kinds[kind],
          startTime: begunMs,
          ...(attributes && { attributes: attributes as Attributes }),
          ...(linked && { links: [{ context: linked }] }),
        },
        context,
      );
      return span.isRecording() ? new OtelSpan(tracer, span, begunMs, startMonotonicMs) : null;
    },
    async close() {
      const done = provider
        .shutdown()
        .catch((error: unknown) => log.debug({ err: error }, 'traces were lost'));
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, closeMs);
      });
      await Promise.race([done, patience]);
      clearTimeout(timer);
    },
  };
}

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const;

class OtelSpan implements TraceSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #begunMs: number;
  readonly #begunAt: number;

  constructor(tracer: Tracer, span: Span, begunMs: number, begunAt: number) {
    this.#tracer = tracer;
    this.#span = span;
    this.#begunMs = begunMs;
    this.#begunAt = begunAt;
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  }

  get tracestate(): string | undefined {
    return this.#span.spanContext().traceState?.serialize() || undefined;
  }

  child(name: string, { kind, startMs, attributes }: Parameters<TraceSpan['child']>[1]): TraceSpan {
    const begunAt = performance.now();
    const begunMs = startMs ?? this.#begunMs + begunAt - this.#begunAt;
    const span = this.#tracer.startSpan(
      name,
      {
        kind: kinds[kind],
        startTime: begunMs,
        ...(attributes && { attributes: attributes as Attributes }),
      },
      trace.setSpan(ROOT_CONTEXT, this.#span),
    );
    return new OtelSpan(this.#tracer, span, begunMs, begunAt);
  }

  set(attributes: Parameters<TraceSpan['set']>[0]): void {
    this.#span.setAttributes(attributes as Attributes);
  }

  fail(type: string): void {
    this.#span.setAttribute('error.type', type);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: type });
  }

  end(endMs = this.#nowMs()): void {
    this.#span.end(endMs);
  }

  /** By the clock the span was begun by: a worker's is Redis', whatever this host's says. */
  #nowMs(): number {
    return this.#begunMs + performance.now() - this.#begunAt;
  }
}

/** Any version but `ff`, which the specification forbids. */
const traceparentForm = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;

/** Undefined for what is no trace context: anyone may push an envelope by hand. */
function spanContextOf({ traceparent, tracestate }: TraceCarrier): SpanContext | undefined {
  const parts = traceparent === undefined ? null : traceparentForm.exec(traceparent);
  if (parts === null) return undefined;
  const [, traceId = '', spanId = '', flags = '00'] = parts;
  const context: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  if (tracestate !== undefined) context.traceState = createTraceState(tracestate);
  return trace.isSpanContextValid(context) ? context : undefined;
}

function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0;
}

function samplerOf(name: SamplerName, ratio: number): Sampler {
  const bare = name.replace('parentbased_', '');
  const root =
    bare === 'always_on'
      ? new AlwaysOnSampler()
      : bare === 'always_off'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratio);
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

/** What follows from a recorded trace is recorded, though it has a trace of its own and no parent to be decided by. */
function linkedRoots(sampler: Sampler): Sampler {
  return {
    shouldSample(context: Context, traceId, name, kind, attributes, links: Link[]) {
      const follows =
        trace.getSpanContext(context) === undefined && links.some((link) => isSampled(link.context));
      return follows
        ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
        : sampler.shouldSample(context, traceId, name, kind, attributes, links);
    },
    toString: () => `LinkedRoots(${sampler.toString()})`,
  };
}

/** The SDK's own complaints, a collector that is away among them: once a minute, and nothing of it fails a job. */
function listenToSdk(log: Pick<Logger, 'warn' | 'debug'>): void {
  let toldAt = Number.NEGATIVE_INFINITY;
  const complain = (message: string) => {
    const isDue = performance.now() - toldAt >= complainMs;
    if (isDue) toldAt = performance.now();
    log[isDue ? 'warn' : 'debug']({ reason: message.slice(0, 300) }, 'traces could not be exported');
  };
  const ignore = () => {};
  diag.setLogger(
    { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}
