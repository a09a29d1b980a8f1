import { z } from 'zod';

/** One series of an instant query; null where it has no number (`NaN`: nothing was observed). */
export interface Sample {
  labels: Record<string, string>;
  value: number | null;
}

export interface FiringAlert {
  name: string;
  labels: Record<string, string>;
}

const vector = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.enum(['vector', 'scalar']),
    result: z.array(z.unknown()),
  }),
});
const series = z.object({
  metric: z.record(z.string(), z.string()),
  value: z.tuple([z.number(), z.string()]),
});
const alertList = z.object({
  data: z.object({
    alerts: z.array(z.object({ labels: z.record(z.string(), z.string()), state: z.string() })),
  }),
});
const failure = z.object({ error: z.string() });

/** The few questions that the watch's own checks put to a Prometheus. */
export function createPrometheusApi(url: string) {
  async function ask(path: string, parameters: Record<string, string> = {}): Promise<unknown> {
    const response = await fetch(`${url}${path}?${new URLSearchParams(parameters)}`, {
      signal: AbortSignal.timeout(10_000),
    });
    const body: unknown = await response.json();
    if (response.ok) return body;
    throw new Error(failure.safeParse(body).data?.error ?? `Prometheus answered ${response.status}`);
  }
  return {
    /** @throws with Prometheus' own words for a query it does not take */
    async query(expression: string): Promise<Sample[]> {
      const { data } = vector.parse(await ask('/api/v1/query', { query: expression }));
      if (data.resultType === 'scalar') return [{ labels: {}, value: Number(data.result[1]) }];
      return data.result.map((one) => {
        const { metric, value } = series.parse(one);
        const number = Number(value[1]);
        return { labels: metric, value: Number.isNaN(number) ? null : number };
      });
    },
    async firing(): Promise<FiringAlert[]> {
      const { data } = alertList.parse(await ask('/api/v1/alerts'));
      return data.alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels }) => ({ name: labels.alertname ?? '', labels }));
    },
  };
}

export type PrometheusApi = ReturnType<typeof createPrometheusApi>;

/** What Alertmanager passes on: active, and held back by no inhibition. @throws when it is away */
export async function passedOn(alertmanagerUrl: string): Promise<FiringAlert[]> {
  const response = await fetch(
    `${alertmanagerUrl}/api/v2/alerts?active=true&inhibited=false&silenced=false`,
    {
      signal: AbortSignal.timeout(10_000),
    },
  );
  const list = z.array(z.object({ labels: z.record(z.string(), z.string()) })).parse(await response.json());
  return list.map(({ labels }) => ({ name: labels.alertname ?? '', labels }));
}
