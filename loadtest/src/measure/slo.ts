import { z } from 'zod';
import type { Latency, SloCheck } from '../figures-schema.ts';

/** `p99<3s,err<1%`: all of them must hold. Read once, at the door. */
export interface SloTerm {
  text: string;
  name:
    | 'p50'
    | 'p95'
    | 'p99'
    | 'p999'
    | 'max'
    | 'mean'
    | 'ttft_p50'
    | 'ttft_p95'
    | 'ttft_p99'
    | 'err'
    | 'rate';
  /** Milliseconds, a ratio, or requests per second (`rate` must be above it, all others below). */
  limit: number;
}

const latencyTerm =
  /^(p50|p95|p99|p999|max|mean|ttft_p50|ttft_p95|ttft_p99)\s*(?:<=?|≤)\s*(\d+(?:\.\d+)?)\s*(ms|s)$/;
const errorTerm = /^err\s*(?:<=?|≤)\s*(\d+(?:\.\d+)?)\s*(%?)$/;
const rateTerm = /^rate\s*(?:>=?|≥)\s*(\d+(?:\.\d+)?)$/;

export const sloText = z.string().transform((text, context): SloTerm[] => {
  const terms: SloTerm[] = [];
  for (const part of text.split(',').map((word) => word.trim())) {
    const term = part === '' ? null : readTerm(part);
    if (term === null) {
      context.addIssue({
        code: 'custom',
        message: `"${part}" is no objective; they look like p99<3s, p50<250ms, ttft_p99<1s, err<1%, rate>50`,
      });
      return z.NEVER;
    }
    terms.push(term);
  }
  return terms;
});

function readTerm(text: string): SloTerm | null {
  const latency = latencyTerm.exec(text);
  if (latency !== null) {
    const [, name, amount, unit] = latency;
    return { text, name: name as SloTerm['name'], limit: Number(amount) * (unit === 's' ? 1000 : 1) };
  }
  const errors = errorTerm.exec(text);
  if (errors !== null) return { text, name: 'err', limit: Number(errors[1]) / (errors[2] === '%' ? 100 : 1) };
  const rate = rateTerm.exec(text);
  return rate === null ? null : { text, name: 'rate', limit: Number(rate[1]) };
}

export interface Measured {
  latency: Latency;
  firstToken: Latency | null;
  errorRatio: number;
  throughputPerSecond: number;
}

/**
 * Does it hold? What has no figure does not hold. A run is judged by the figure itself, a search (`strict`) by the upper
 * end of its interval where there is one: what is promised must hold with confidence.
 */
export function checkSlo(terms: readonly SloTerm[], measured: Measured, strict = false): SloCheck[] {
  return terms.map(({ text, name, limit }): SloCheck => {
    if (name === 'err' || name === 'rate') {
      const value = name === 'err' ? measured.errorRatio : measured.throughputPerSecond;
      const met = name === 'err' ? value <= limit : value >= limit;
      return {
        text,
        name,
        limit,
        measured: value,
        high: null,
        unit: name === 'err' ? 'ratio' : 'per_second',
        met,
      };
    }
    const isFirstToken = name.startsWith('ttft_');
    const of = isFirstToken ? measured.firstToken : measured.latency;
    const which = isFirstToken ? name.slice('ttft_'.length) : name;
    const { value, high } = figure(of, which);
    const judged = strict ? (high ?? value) : value;
    return { text, name, limit, measured: value, high, unit: 'ms', met: judged !== null && judged <= limit };
  });
}

function figure(latency: Latency | null, name: string): { value: number | null; high: number | null } {
  if (latency === null) return { value: null, high: null };
  if (name === 'mean') return { value: latency.mean_ms, high: null };
  if (name === 'max') return { value: latency.max_ms, high: null };
  const quantile = latency[name as 'p50' | 'p95' | 'p99' | 'p999'];
  return { value: quantile.value_ms, high: quantile.high_ms };
}

/** Is one answer within every limit on latency? (goodput) */
export function isWithin(terms: readonly SloTerm[], latencyMs: number, firstTokenMs: number | null): boolean {
  return terms.every(({ name, limit }) => {
    if (name === 'err' || name === 'rate') return true;
    if (name.startsWith('ttft_')) return firstTokenMs === null || firstTokenMs <= limit;
    return latencyMs <= limit;
  });
}
