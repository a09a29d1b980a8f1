import { setTimeout as delay } from 'node:timers/promises';
import { createPrometheusApi, type PrometheusApi } from './prometheus-api.ts';
import { type WatchedQuery, watchedQueries } from './watched-queries.ts';

export interface DashboardReport {
  ok: boolean;
  queries: number;
  /** Queries without a series, or whose series have no number, with what Prometheus said where it refused one. */
  empty: (WatchedQuery & { reason: string })[];
}

/**
 * Sends every query of every dashboard to a real Prometheus, until each has brought a number or the time is over:
 * recorded series and rates need a few scrapes after the events they are about.
 */
export async function checkDashboards(
  prometheusUrl: string,
  options: { rateWindow: string; withinMs: number },
): Promise<DashboardReport> {
  const api = createPrometheusApi(prometheusUrl);
  const queries = watchedQueries(options.rateWindow);
  const until = performance.now() + options.withinMs;
  let empty = queries.map((query) => ({ ...query, reason: '' }));
  for (;;) {
    const asked = await Promise.all(
      empty.map(async (query) => ({ ...query, reason: await lack(api, query) })),
    );
    empty = asked.flatMap(({ reason, ...query }) => (reason === null ? [] : [{ ...query, reason }]));
    if (empty.length === 0 || performance.now() > until) break;
    await delay(1000);
  }
  return { ok: empty.length === 0, queries: queries.length, empty };
}

async function lack(api: PrometheusApi, { expression }: WatchedQuery): Promise<string | null> {
  try {
    const samples = await api.query(expression);
    if (samples.length === 0) return 'no series';
    return samples.some(({ value }) => value !== null) ? null : 'series without a number';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
