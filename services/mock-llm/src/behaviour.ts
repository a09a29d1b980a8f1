import { z } from 'zod';

/**
 * How one listener answers, changed at run time by `POST /mock/behaviour`:
 *
 *   ok                  answers after the latency law (`latency_ms` here overrides the configured one)
 *   error               answers `status` (default 500) in the API's own error shape, after `latency_ms`
 *   hang                accepts the request and never answers
 *   hang_after_headers  sends status and headers, then nothing
 *   slow                first token only after `latency_ms` (default 5,000)
 *   drip                one token every `latency_ms` (default 250)
 *   truncate            sends half of the body, then closes the connection
 *   garbage             answers 200 at once with a body that is not of the protocol
 */
export const modes = [
  'ok',
  'error',
  'hang',
  'hang_after_headers',
  'slow',
  'drip',
  'truncate',
  'garbage',
] as const;

export const behaviour = z.strictObject({
  mode: z.enum(modes),
  status: z.int().min(400).max(599).optional(),
  latency_ms: z.number().min(0).max(600_000).optional(),
});
export type Behaviour = z.infer<typeof behaviour>;

/** The pace of a healthy answer. */
export interface LatencyLaw {
  /** Before the first token. */
  latencyMs: number;
  /** 0: the rest comes at once. */
  tokensPerSecond: number;
}

export interface Pace {
  firstTokenMs: number;
  /** Between two tokens; 0: all at once. */
  perTokenMs: number;
}

export function paceOf({ mode, latency_ms }: Behaviour, law: LatencyLaw): Pace {
  const perTokenMs = law.tokensPerSecond > 0 ? 1000 / law.tokensPerSecond : 0;
  if (mode === 'slow') return { firstTokenMs: latency_ms ?? 5000, perTokenMs };
  if (mode === 'drip') return { firstTokenMs: law.latencyMs, perTokenMs: latency_ms ?? 250 };
  return { firstTokenMs: latency_ms ?? law.latencyMs, perTokenMs };
}
