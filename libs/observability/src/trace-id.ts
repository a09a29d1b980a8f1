/** The trace id of a W3C `traceparent`; undefined for what is none (anyone may push an envelope by hand). */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent !== undefined && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-/.test(traceparent)
    ? traceparent.slice(3, 35)
    : undefined;
}
