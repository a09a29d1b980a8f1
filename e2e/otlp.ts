import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { freePort } from '@vortex/testkit';
import { z } from 'zod';

/** A collector of traces: takes OTLP/HTTP as JSON and keeps the spans. */
export interface Collector {
  url: string;
  spans(): CollectedSpan[];
  ofTrace(traceId: string): CollectedSpan[];
  close(): Promise<void>;
}

export interface CollectedSpan {
  service: string;
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parentSpanId: string;
  traceState: string;
  name: string;
  kind: number;
  startMs: number;
  endMs: number;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
  failed: boolean;
}

const attributes = z.array(
  z.object({
    key: z.string(),
    value: z.object({
      stringValue: z.string().optional(),
      intValue: z.coerce.number().optional(),
      doubleValue: z.number().optional(),
      boolValue: z.boolean().optional(),
      arrayValue: z.unknown().optional(),
    }),
  }),
);
const exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().default(''),
              traceState: z.string().default(''),
              name: z.string(),
              kind: z.number(),
              startTimeUnixNano: z.coerce.bigint(),
              endTimeUnixNano: z.coerce.bigint(),
              attributes,
              links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
              status: z.object({ code: z.number().default(0) }),
            }),
          ),
        }),
      ),
    }),
  ),
});

export async function startCollector(): Promise<Collector> {
  const collected: CollectedSpan[] = [];
  const problems: unknown[] = [];
  const server = createServer(async (request, response) => {
    try {
      if (request.url !== '/v1/traces') throw new Error(`asked for ${request.url}`);
      for (const { resource, scopeSpans } of exported.parse(JSON.parse(await text(request))).resourceSpans) {
        const service = String(valuesOf(resource.attributes)['service.name']);
        for (const { spans } of scopeSpans)
          for (const { startTimeUnixNano, endTimeUnixNano, status, ...span } of spans)
            collected.push({
              ...span,
              service,
              startMs: Number(startTimeUnixNano / 1000n) / 1000,
              endMs: Number(endTimeUnixNano / 1000n) / 1000,
              attributes: valuesOf(span.attributes),
              failed: status.code === 2,
            });
      }
    } catch (error) {
      problems.push(error);
    }
    response.setHeader('content-type', 'application/json').end('{}');
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const spans = () => {
    if (problems.length > 0) throw new Error('an export could not be read', { cause: problems[0] });
    return collected;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    ofTrace: (traceId) => spans().filter((span) => span.traceId === traceId),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function valuesOf(pairs: z.infer<typeof attributes>): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));
}
